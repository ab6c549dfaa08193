#!/bin/bash
# Runs all smoke tests on the laptop's stack, with every setting that `make smoke` reads.
set -euo pipefail
cd "$(dirname "$0")/../.."

echo "Building the functions (the first time takes some minutes)..."
infra/local/build.sh --quiet
env_file=target/local/stack.env
smoke() {
  set -a
  # shellcheck source=/dev/null
  . "$env_file"
  set +a
  token="target/debug/consigne token --plan pro --user"
  export URL=$CONSIGNE_URL STACK=$STACK_NAME REGION=$AWS_REGION
  export TOKEN_CMD="$token user_smokeann" OTHER_TOKEN_CMD="$token user_smokebob"
  .venv/bin/python infra/smoke
}
export env_file
export -f smoke
infra/local/with-stack.sh bash -euo pipefail -c smoke
