#!/bin/sh
# Drives a real browser over the console: `sh tests/browser/run.sh [DIRECTORY-FOR-PICTURES]`.
# Installs the pinned packages of package-lock.json beside this file, builds the stand unless STAND names it already,
# runs console.mjs.
# Exit: 0 = all passed; 1 = some failed; 69 = chromium, node or npm is not here; 70 = npm failed.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

for program in node npm chromium; do
    command -v "$program" >/dev/null 2>&1 || { echo "browser: $program is not here" >&2; exit 69; }
done
if ! [ -d "$here/node_modules/playwright-core" ] || ! [ -d "$here/node_modules/axe-core" ]; then
    (cd "$here" && npm ci --ignore-scripts --no-audit --no-fund >/dev/null) || { echo 'browser: npm ci failed' >&2; exit 70; }
fi
stand=${STAND-}
if [ -z "$stand" ]; then
    (cd "$here/../.." && cargo build --locked --quiet -p server --example stand)
    stand=$here/../../target/debug/examples/stand
fi
exec node "$here/console.mjs" "$stand" ${1+"$1"}
