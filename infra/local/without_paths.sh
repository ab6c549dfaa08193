#!/bin/bash
# Runs a command that builds Rust, such as `cargo build`, so that nothing it builds says where it was built: the folder of the checkout
# becomes /consigne and that of cargo /cargo, in messages of panics too. Two builds of the same commit are then the same bytes.
#
# cargo's own setting for it, `trim-paths`, is not in stable cargo yet. Flags that are set already stay.
set -euo pipefail
here=$(pwd -P)
home=${CARGO_HOME:-$HOME/.cargo}
# cargo separates flags by spaces.
case "$here $home" in
  *\ *\ *) echo "The build says where it was built, because the path of this folder or of cargo has a space." >&2 ;;
  *)
    # The last prefix that matches is taken, so the folder of cargo may lie in that of the checkout.
    export RUSTFLAGS="${RUSTFLAGS:+$RUSTFLAGS }--remap-path-prefix=$here=/consigne --remap-path-prefix=$home=/cargo"
    # C code names its files too, for assertions.
    map="-ffile-prefix-map=$here=/consigne -ffile-prefix-map=$home=/cargo"
    export CFLAGS="${CFLAGS:+$CFLAGS }$map" CXXFLAGS="${CXXFLAGS:+$CXXFLAGS }$map"
    ;;
esac
exec "$@"
