#!/bin/bash
# Writes each requirements*.txt from the requirements*.in beside it: every package that pip will install, in one version, with
# the hashes of all its files, for every platform and Python from 3.10. Versions that are still possible stay as they are.
set -euo pipefail
cd "$(dirname "$0")/../.."

uv=.venv/lock-tools/bin/uv
if [ ! -x "$uv" ]; then
  python3 -m venv .venv/lock-tools
  .venv/lock-tools/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
    --requirement infra/local/requirements-lock.txt
fi

# compile <file without ending> <oldest Python> <options>: with options of uv besides those of all files.
compile() {
  local file=$1 oldest=$2
  shift 2
  echo "$file.txt"
  "$uv" pip compile --quiet --universal --generate-hashes --python-version "$oldest" --no-annotate \
    --custom-compile-command "make lock" --output-file "$file.txt" "$@" "$file.in"
}

# What `make demo` needs works with Python 3.10. Tools of tests, checks and deployment need 3.11.
compile infra/local/requirements 3.10
compile infra/local/requirements-web 3.10
# Nothing of it runs in Python, so it needs none of its dependencies.
compile infra/local/requirements-viewer 3.10 --no-deps
compile infra/docs/requirements 3.10
compile infra/local/requirements-lock 3.10
# Installed into the same virtual environment as the first one.
compile infra/local/requirements-check 3.11 --constraint infra/local/requirements.txt
compile infra/deploy/requirements 3.11
compile infra/clients/requirements 3.11
compile infra/schemathesis/requirements 3.11
# These list what Lambda brings along and what is packaged, in full.
compile infra/bench/peers/python/requirements-runtime 3.10 --no-deps
compile infra/bench/peers/python/key_verify/requirements 3.10 --no-deps
compile infra/bench/peers/python/presign/requirements 3.11 --no-deps
