#!/usr/bin/env bash
# Installs coding agents for tests/agents into a folder: scripts/install_agents.sh FOLDER [PACKAGE...]; by default all
# in tests/agents/package.json, which pins their versions.
set -euo pipefail
into=$1
shift
cd "$(dirname "$0")/.."
pinned=$PWD/tests/agents/package.json
# shellcheck disable=SC2046 # names of packages have no blanks
[ $# -gt 0 ] || set -- $(node -p "Object.keys(require('$pinned').dependencies).join(' ')")
wanted=()
for package in "$@"; do
  wanted+=("$package@$(node -p "require('$pinned').dependencies['$package']")")
done
mkdir -p "$into"
npm install --prefix "$into" --no-audit --no-fund --no-package-lock --loglevel=error "${wanted[@]}"
