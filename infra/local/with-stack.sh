#!/bin/bash
# Runs a command while the laptop's stack is up: starts it when it is down, and leaves it as it was.
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
