#!/bin/bash
# Tries mutated files and random bytes on the parsers of uploads and on the decoders of pictures, for as long as
# SECONDS_MAX says. Every round has other random cases. A case that fails is shrunk, printed, and kept beside its test in
# proptest-regressions, where `make test` tries it again.
set -euo pipefail
cd "$(dirname "$0")/../.."

cases=${CASES:-5000}
parsers=(--package consigne-core --lib -- files::content)
# A decoded picture takes longer than a parsed header.
decoders=(--package consigne-images --test corpus -- mutated)

echo "Building the parsers of uploads and the decoders of pictures (the first time takes a minute)..."
cargo test --quiet --package consigne-core --lib --no-run
cargo test --quiet --package consigne-images --test corpus --no-run

try() {
  if ! PROPTEST_CASES=$1 cargo test --quiet "${@:2}" > target/fuzz.log 2>&1; then
    cat target/fuzz.log
    echo "A case failed. It is printed above and kept in proptest-regressions; commit it with the mend."
    exit 1
  fi
}

rounds=0
until=$((SECONDS + ${SECONDS_MAX:-60}))
echo "Trying mutated files and random bytes for ${SECONDS_MAX:-60} s..."
while [ "$SECONDS" -lt "$until" ]; do
  try "$cases" "${parsers[@]}"
  try "$((cases / 10 + 1))" "${decoders[@]}"
  rounds=$((rounds + 1))
done
echo "$rounds rounds of $cases cases for each property of the parsers: no panic, no size beyond its format's, no text taken for a picture;"
echo "and of $((cases / 10 + 1)) cases for each of four decoders: decoded or refused, never anything else."
echo "Next: make fuzz SECONDS_MAX=3600 looks for longer."
