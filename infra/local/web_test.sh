#!/bin/bash
# Checks the style of web/ and tests its packages, as far as that needs neither a browser nor a stack.
set -euo pipefail
cd "$(dirname "$0")/../.."

PATH="$PWD/.venv/node/bin:$PATH"
(cd web && node_modules/.bin/biome check --error-on-warnings . && node_modules/.bin/tsc --project .)
node .venv/node/lib/node_modules/npm/bin/npm-cli.js --prefix web --workspaces --if-present --loglevel=error run check
