#!/bin/sh
# Measures every number of the design and prints it beside its target. The machine should be idle: two busy cores
# multiply every figure.
set -eu
cd "$(dirname -- "$0")/.."

program=${AMBIT:-$(sh scripts/release.sh)}
cargo build --locked --quiet -p testkit --bins
cargo build --locked --quiet --release -p guard -p policy -p ledger -p secrets -p egress --examples

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Another guard beside it in the same run, where npm can bring one.
other=''
if npm install --prefix "$scratch/other" --no-audit --no-fund --ignore-scripts cc-safety-net@2.4.5 >/dev/null 2>&1; then
    other=$scratch/other/node_modules/.bin/cc-safety-net
else
    echo 'bench: no other guard to be had here to measure beside' >&2
fi
cargo run --locked --quiet -p testkit --bin bench -- "$program" $other
mkdir "$scratch/project" && git -C "$scratch/project" init -q
printf '\nTargets: p99 0.5 ms a command, 1 ms with facts, 50 ms for what is padded or broken:\n'
target/release/examples/judging "$scratch/project"
printf '\nPolicy alone:\n'
target/release/examples/policy_bench "$scratch/policy"
target/release/examples/policy_bench "$scratch/policy"
printf '\nThe ledger alone (targets: 20,000 records/s appended, 1,000,000 records/s verified on a core):\n'
target/release/examples/ledger_bench
printf '\nSecrets alone:\n'
target/release/examples/measure
printf '\nThe proxy alone (targets: 1 Gbit/s, 1 ms to the first byte, 1 ms for a lent credential):\n'
target/release/examples/throughput
