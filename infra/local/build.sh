#!/bin/bash
# Builds what the laptop's stack consists of: every function, and the operator's command line. Options go to cargo.
set -euo pipefail
cd "$(dirname "$0")/../.."

packages=(--package consigne)
for manifest in functions/*/Cargo.toml; do
  packages+=(--package "$(basename "$(dirname "$manifest")")")
done
exec cargo build --bins "${packages[@]}" "$@"
