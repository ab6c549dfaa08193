#!/bin/bash
# Runs every test and prints the counts. Starts the stack if it is down, and then stops it again at the end.
#
# ONLY=word runs only the integration tests whose path contains the word, such as `deployed::jobs`.
# ONLY=docs/quickstart.md runs what that document shows, and ONLY=docs what all show.
# SDK_CLIENT=1 calls AWS with the SDK's own client. With it, ONLY=deployed runs the tests of files, keys and jobs.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=.venv/bin/python
log=target/test.log
mkdir -p target

# Some tests open hundreds of connections. macOS allows 256 open files by default.
[ "$(ulimit -n)" = unlimited ] || [ "$(ulimit -n)" -ge 4096 ] || ulimit -n 4096 || true

# The functions' tests are in shared/testkit, in one binary. Linking two empty test binaries per function takes long.
packages=(--workspace)
for manifest in functions/*/Cargo.toml; do
  packages+=(--exclude "$(basename "$(dirname "$manifest")")")
done

bins=()
target=target
only=${ONLY:-}
words=("$only")
if [ -n "${SDK_CLIENT:-}" ]; then
  target=target/sdk
  bins+=(--package consigne-aws --features consigne-aws/sdk-client --target-dir "$target")
  packages+=(--features consigne-aws/sdk-client --target-dir "$target")
  if [ "$only" = deployed ]; then
    words=(deployed::files deployed::uploads deployed::key_endpoint deployed::charges deployed::jobs deployed::job_webhooks)
  fi
fi
# The functions that stack.py deploys, here and when tests call it.
export BINARIES=$target/debug

echo "Building the functions and the tests (the first time takes some minutes)..."
infra/local/build.sh ${bins[@]+"${bins[@]}"}
documents=
case $only in
  docs | *.md | *.http) documents=yes ;;
  *) cargo test "${packages[@]}" --no-run ;;
esac

# The record that `make permissions` reads. Tests of a part add to it; those that call every function start a new one.
permissions=target/local/permissions
case $only in
  "" | deployed) rm -rf "$permissions" ;;
esac

was_up=yes
$python infra/local/stack.py status > /dev/null || was_up=no
$python infra/local/stack.py up
if [ "$was_up" = no ]; then
  trap '$python infra/local/stack.py down' EXIT
elif [ -n "${SDK_CLIENT:-}" ]; then
  # The stack was already up with other functions, which are deployed again at the end.
  trap 'BINARIES=target/debug $python infra/local/stack.py deploy' EXIT
fi

# These tests keep the laptop's server so busy that functions called by other tests at the same time would time out.
alone=(whose_endpoints_hang of_a_thousand hundreds_of_operations three_hundred_concurrent twenty_concurrent_invitations)

# Completes the record of permissions.
finish_record() {
  mkdir -p "$permissions"
  if [ "$status" = 0 ]; then echo passed > "$permissions/finished"; else echo failed > "$permissions/finished"; fi
}

# Runs tests and prints failures. The whole output is in the log.
run() {
  cargo test --no-fail-fast "$@" 2>&1 | tee -a "$log" | grep -E --line-buffered \
    '^test .*\.\.\. (FAILED|ignored)|^test result: .* [1-9][0-9]* (passed|failed)|^failures:|^thread .* panicked|^error'
  return "${PIPESTATUS[0]}"
}

# Runs what the documents show, all of them or the one that is named.
run_documents() {
  $python infra/examples "$@" 2>&1 | tee -a "$log"
  return "${PIPESTATUS[0]}"
}

# Runs what is written in TypeScript and Python against types that are generated from openapi.json.
run_clients() {
  (
    set -a
    # shellcheck source=/dev/null
    . target/local/stack.env
    # One after the other, because the shell does not stop at a failure here.
    TOKEN=$("$BINARIES/consigne" token --user "user_types$RANDOM$RANDOM" --plan pro) && export TOKEN &&
      .venv/node/bin/node --test 'web/contract/*.test.ts' &&
      TOKEN=$("$BINARIES/consigne" token --user "user_python$RANDOM$RANDOM" --plan pro) && export TOKEN &&
      .venv/client-tools/bin/python infra/clients
  ) 2>&1 | tee -a "$log" | grep -E '^ℹ (tests|fail)|^not ok|✖|Python client|AssertionError'
  return "${PIPESTATUS[0]}"
}

# Checks and tests the TypeScript packages.
run_web() {
  NO_COLOR=1 infra/local/web_test.sh 2>&1 | tee -a "$log" | grep -E '^ *Tests |FAIL|✗|×|error'
  return "${PIPESTATUS[0]}"
}

if [ -n "$documents" ]; then
  : > "$log"
  $python -m unittest discover --quiet --start-directory infra/examples/tests
  if [ "$only" = docs ]; then run_documents; else run_documents "$only"; fi
  exit
fi

if [ -n "$only" ]; then
  : > "$log"
  status=0
  echo "Running ${words[*]}..."
  run "${packages[@]}" --test it -- "${alone[@]/#/--skip=}" "${words[@]}" || status=$?
  listed=$(cargo test --quiet "${packages[@]}" --test it -- --list "${words[@]}")
  while IFS= read -r test; do
    run "${packages[@]}" --test it -- --exact "$test" < /dev/null || status=$?
  done < <(sed -n 's/: test$//p' <<< "$listed" | grep -E "$(IFS='|' && echo "${alone[*]}")")
  if [ "$only" = deployed ]; then finish_record; fi
  exit "$status"
fi

status=0
wrong=()
# Keeps which part of the run failed, and with what status.
failed() {
  status=$?
  wrong+=("$1")
}
: > "$log"
echo "Running the tests of the laptop's own server..."
$python -W ignore -m unittest discover --start-directory infra/local/tests 2>&1 | tee -a "$log" | tail -n 4 || failed "the tests of the laptop's own server"
$python -m unittest discover --start-directory infra/examples/tests 2>&1 | tee -a "$log" | tail -n 4 || failed "the tests of what runs the documents"
if [ -z "${SDK_CLIENT:-}" ]; then
  echo "Running what README.md and docs/ show (about a minute)..."
  run_documents || failed "what the documents show"
fi
echo "Generating clients from openapi.json, and using them..."
run_clients || failed "the generated clients"
echo "Running the tests of the TypeScript packages..."
run_web || failed "the TypeScript packages"
echo "Running the tests (about ten minutes)..."
run "${packages[@]}" -- "${alone[@]/#/--skip=}" || failed "the tests"
echo "Running the tests that must not run beside others..."
# The same packages as above. Otherwise their features would differ and the dependencies be built again.
run "${packages[@]}" --test it -- --test-threads=1 "${alone[@]}" || failed "the tests that must not run beside others"
finish_record

awk '/^test result/ { passed += $4; failed += $6; ignored += $8 }
     /^Ran [0-9]+ tests? in/ { python = $2 }
     /^ℹ pass [0-9]+/ { passed += $3 }
     /^ℹ fail [0-9]+/ { failed += $3 }
     /^ *Tests +[0-9]+ / { for (i = 2; i < NF; i++) { if ($(i + 1) == "passed") passed += $i; if ($(i + 1) == "failed") failed += $i } }
     /^OK$/ && python { passed += python; python = 0 }
     /^FAILED \((failures|errors)=/ { split($0, counts, /[^0-9]+/); failed += counts[2] + counts[3]; passed += python - counts[2] - counts[3] }
     /^Ran [0-9]+ blocks/ { documents = $0 }
     END {
       if (documents) print "\n" documents
       printf "\n%d tests passed, %d failed, %d ignored.\n", passed, failed, ignored
     }' "$log"
echo "The whole output: $log"
for part in ${wrong[@]+"${wrong[@]}"}; do echo "Failed: $part"; done
exit "$status"
