#!/usr/bin/env bash
# What projects had before bgrun: bash by_hand.sh LABEL COMMAND
# Starts a command detached and leaves its log, pid, exit code and meta under .logs of the repository.
set -euo pipefail
label=$1 command=$2
repo_dir=$(git rev-parse --show-toplevel)
ts=$(date +%Y%m%d_%H%M%S)
run=$repo_dir/.logs/${label}_$ts
mkdir -p "$repo_dir/.logs"
setsid nohup bash -c "$command"'; echo $? >"$0.exit"' "$run" >"$run.log" 2>&1 </dev/null &
pid=$!
echo "$pid" >"$run.pid"
cat >"$run.meta" <<META
ts=$ts
label=$label
repo_dir=$repo_dir
shell=bash
venv=${VIRTUAL_ENV-}
cmd=$command
git_sha=$(git rev-parse HEAD)
git_branch=$(git rev-parse --abbrev-ref HEAD)
pgid=$(ps -o pgid= -p "$pid" | tr -d ' ')
META
echo "STARTED ${label}_$ts pid=$pid"
