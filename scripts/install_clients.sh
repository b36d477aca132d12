#!/usr/bin/env bash
# Installs the npm clients that the tests drive into the folder that is given (see tests/clients/package.json).
set -euo pipefail
into=$1
cd "$(dirname "$0")/.."
mkdir -p "$into"
cp tests/clients/package.json "$into/package.json"
cd "$into"
npm install --no-audit --no-fund --no-package-lock --loglevel=error
PATH="$PWD/node_modules/.bin:$PATH" node --version
