#!/bin/bash
# Builds one function twice, from the committed files in two folders with names of different length, and compares the packages byte by
# byte. OF=health names the function. PROFILE=release builds it as cargo would for a release, which takes minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."

function=${OF:-health}
profile=${PROFILE:-dev}
if [ ! -d "functions/$function" ]; then
  echo "There is no function $function. OF=health names one of functions/." >&2
  exit 2
fi

work=target/reproducible
rm -rf "$work"
for folder in "$work/a" "$work/a-longer-name"; do
  mkdir -p "$folder"
  git archive HEAD | tar -xf - -C "$folder"
  (
    cd "$folder"
    export CARGO_INCREMENTAL=0 CARGO_TARGET_DIR=$PWD/target
    # As `make build` does.
    infra/local/without_paths.sh cargo build --locked --quiet --profile "$profile" --package "$function"
  )
  built=$folder/target/$([ "$profile" = dev ] && echo debug || echo "$profile")/$function
  .venv/bin/python infra/local/package.py "$built" "$folder.zip"
  # The second build is the larger half of the space.
  rm -rf "$folder/target"
done
cmp "$work/a.zip" "$work/a-longer-name.zip"
echo "Two builds of $function gave the same $(wc -c < "$work/a.zip" | tr -d ' ') bytes: $(openssl dgst -sha256 -r "$work/a.zip" | cut -d ' ' -f 1)"
