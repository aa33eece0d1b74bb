#!/bin/sh
# Measures every number of the design and prints it beside its target. The machine should be idle: two busy cores
# multiply every figure.
set -eu
cd "$(dirname -- "$0")/.."

program=${AMBIT:-$(sh scripts/release.sh)}
cargo build --locked --quiet -p testkit --bins
cargo build --locked --quiet --release -p policy -p ledger --examples

cargo run --locked --quiet -p testkit --bin bench -- "$program"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
printf '\nPolicy alone:\n'
target/release/examples/policy_bench "$scratch/policy"
target/release/examples/policy_bench "$scratch/policy"
printf '\nThe ledger alone:\n'
target/release/examples/ledger_bench
