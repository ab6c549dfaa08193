#!/bin/bash
# Runs all smoke tests on the laptop's stack, with every setting that `make smoke` reads.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ "${1:-}" != on-stack ]; then
  echo "Building the functions (the first time takes some minutes)..."
  infra/local/build.sh --quiet
  exec infra/local/with-stack.sh infra/local/smoke.sh on-stack
fi

set -a
# shellcheck source=/dev/null
. target/local/stack.env
set +a
token="target/debug/consigne token --plan pro --user"
export URL=$CONSIGNE_URL STACK=$STACK_NAME REGION=$AWS_REGION
export TOKEN_CMD="$token user_smokeann" OTHER_TOKEN_CMD="$token user_smokebob"
.venv/bin/python infra/smoke
