#!/bin/sh
# Names what this machine lacks and how to get it, before anything is built. Prints nothing when everything is there.
set -eu
lacks=0
lack() {
  echo "$1" >&2
  lacks=1
}

# Compares versions such as 1.92 with the numbers of `cargo --version`.
at_least() {
  awk -v have="$1" -v need="$2" 'BEGIN {
    split(have, h, "."); split(need, n, ".")
    exit !(h[1] + 0 > n[1] + 0 || (h[1] + 0 == n[1] + 0 && h[2] + 0 >= n[2] + 0))
  }'
}

need_rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
if ! command -v cargo > /dev/null; then
  lack "cargo is missing. Install Rust $need_rust or later with rustup: https://rustup.rs"
elif ! version=$(cargo --version); then
  lack "cargo does not run, though it is installed. If rustup could not install the Rust of rust-toolchain.toml: rustup toolchain install"
else
  have=$(echo "$version" | cut -d ' ' -f 2)
  at_least "$have" "$need_rust" || lack "cargo is $have, and Consigne needs $need_rust or later. Install Rust with rustup: https://rustup.rs"
fi

# The command is called, because macOS has one that only says how to install the compiler.
has_compiler() {
  for compiler in cc gcc clang; do
    "$compiler" --version > /dev/null 2>&1 && return 0
  done
  return 1
}
if ! has_compiler; then
  lack "A C compiler is missing. Debian, Ubuntu: apt install gcc. Fedora: dnf install gcc. macOS: xcode-select --install."
fi

if ! command -v python3 > /dev/null; then
  lack "python3 is missing. Debian, Ubuntu: apt install python3-venv. Fedora: dnf install python3. macOS: brew install python."
elif ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
  lack "python3 is $(python3 -c 'import platform; print(platform.python_version())'), and Consigne needs 3.10 or later. Debian, Ubuntu: apt install python3-venv. macOS: brew install python."
elif ! python3 -c 'import venv, ensurepip' 2> /dev/null; then
  lack "Python's venv module is missing. Debian, Ubuntu: apt install python3-venv."
fi

exit $lacks
