#!/bin/sh
# Everything that must hold: format, lints, every test. What had to be skipped is counted and said.
set -eu
cd "$(dirname -- "$0")/.."

AMBIT_SKIP_LOG=$(mktemp)
export AMBIT_SKIP_LOG
trap 'rm -f "$AMBIT_SKIP_LOG"' EXIT

say() { printf '\n== %s\n' "$1"; }

say 'the real agent, pinned by tests/clients/package-lock.json'
sh tests/clients/install.sh || echo 'not to be had here: the tests that drive it will be skipped, and counted below'

# A finding of style fails the run, but does not keep the tests from being run.
result=0
say 'format'
cargo fmt --all --check || result=$?
say 'lints'
cargo clippy --locked --workspace --all-targets --quiet -- -D warnings || result=$?
say 'build'
cargo build --locked --quiet -p testkit --bins
say 'examples in the documentation'
cargo test --locked --workspace --doc --quiet || result=$?
say 'tests'
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked --workspace --no-fail-fast || result=$?
else
    cargo test --locked --workspace --no-fail-fast --lib --bins --tests --examples || result=$?
fi

skipped=$(wc -l <"$AMBIT_SKIP_LOG" | tr -d ' ')
if [ "$skipped" -gt 0 ]; then sort -u "$AMBIT_SKIP_LOG"; fi
echo "skipped for want of something on this machine: $skipped"
[ "$result" = 0 ] || echo "make test: FAILED"
exit "$result"
