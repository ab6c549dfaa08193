#!/bin/bash
# Runs a command with the laptop's stack up. Starts the stack if it is down, and then stops it again at the end.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=.venv/bin/python

was_up=yes
$python infra/local/stack.py status > /dev/null || was_up=no
$python infra/local/stack.py up
if [ "$was_up" = no ]; then
  trap '$python infra/local/stack.py down' EXIT
fi
"$@"
