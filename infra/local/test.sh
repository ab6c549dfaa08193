#!/bin/bash
# Runs every test and prints the counts. Starts the stack if it is not up, and leaves it as it was.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=.venv/bin/python
log=target/test.log
mkdir -p target

echo "Building the functions and the tests (the first time takes some minutes)..."
cargo build --quiet --workspace --bins
cargo test --quiet --workspace --no-run

was_up=yes
$python infra/local/stack.py status > /dev/null || was_up=no
$python infra/local/stack.py up
if [ "$was_up" = no ]; then
  trap '$python infra/local/stack.py down' EXIT
fi

outcome=passed
cargo test --workspace 2>&1 | tee "$log" | grep --line-buffered --extended-regexp \
  '^(test .*(FAILED|ignored)|test result|failures:|thread .* panicked|error)|^     Running|^   Doc-tests' || true
if [ "${PIPESTATUS[0]}" != 0 ] || ! grep --quiet '^test result' "$log" || grep --quiet '^test result: FAILED' "$log"; then
  outcome=FAILED
fi

awk '/^test result/ { passed += $4; failed += $6; ignored += $8 }
     END { printf "\n%d tests passed, %d failed, %d ignored.\n", passed, failed, ignored }' "$log"
echo "The whole output: $log"
[ "$outcome" = passed ]
