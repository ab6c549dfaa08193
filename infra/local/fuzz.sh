#!/bin/bash
# Tries mutated files and random bytes on the parsers of uploads, for as long as SECONDS_MAX says. Every round has other
# random cases. A case that fails is shrunk, printed, and kept in shared/core/proptest-regressions, where `make test`
# tries it again.
set -euo pipefail
cd "$(dirname "$0")/../.."

cases=${CASES:-5000}
tests=(--package consigne-core --lib -- files::content::corpus_tests)

echo "Building the parsers of uploads (the first time takes a minute)..."
cargo test --quiet --package consigne-core --lib --no-run

rounds=0
until=$((SECONDS + ${SECONDS_MAX:-60}))
echo "Trying mutated files and random bytes for ${SECONDS_MAX:-60} s..."
while [ "$SECONDS" -lt "$until" ]; do
  if ! PROPTEST_CASES=$cases cargo test --quiet "${tests[@]}" > target/fuzz.log 2>&1; then
    cat target/fuzz.log
    echo "A case failed. It is printed above and kept in shared/core/proptest-regressions; commit it with the mend."
    exit 1
  fi
  rounds=$((rounds + 1))
done
echo "$rounds rounds of $cases cases for each of three properties: no panic, no size beyond its format's, no text taken for a picture."
echo "Next: make fuzz SECONDS_MAX=3600 looks for longer."
