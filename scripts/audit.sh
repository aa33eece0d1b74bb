#!/bin/sh
# Licences, duplicates, sources and advisories of every dependency, by deny.toml. Advisories need the advisory
# database; where it cannot be fetched the rest is checked all the same, and it says so.
set -eu
cd "$(dirname -- "$0")/.."

if ! cargo deny --version >/dev/null 2>&1; then
    echo 'audit: cargo-deny is not here; installing it (some minutes)' >&2
    cargo install --locked --quiet cargo-deny || {
        echo 'audit: cargo-deny could not be installed; nothing was checked' >&2
        exit 1
    }
fi

cargo deny --locked check --hide-inclusion-graph licenses bans sources

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if cargo deny --locked fetch db >"$log" 2>&1; then
    cargo deny --locked check --hide-inclusion-graph --disable-fetch advisories
else
    echo 'audit: the advisory database cannot be fetched here, so advisories were NOT checked:' >&2
    grep -v '^ *$' "$log" | head -n 3 >&2
fi
