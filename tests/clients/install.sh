#!/bin/sh
# Installs the pinned coding agents of package-lock.json beside this file and prints the path of the `claude` program.
# Safe to run again and again, and side by side. Exit: 0 = path printed; 69 = npm or a needed tool is missing;
# 70 = npm ran and failed, or what it installed does not start. The reason is on stderr.
#
# npm runs with a throw-away HOME and an environment built from nothing, and runs no package's install script:
# the platform package holds a native program that needs neither Node nor a postinstall step.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
want=$(sed -n 's/.*"@anthropic-ai\/claude-code": *"\([^"]*\)".*/\1/p' "$here/package.json")
[ -n "$want" ] || { echo "install.sh: no pinned version of claude in $here/package.json" >&2; exit 70; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

# Prints the first installed program that starts and says it is the pinned version.
find_claude() {
    for program in "$here"/node_modules/@anthropic-ai/claude-code-*/claude; do
        [ -x "$program" ] || continue
        says=$(env -i PATH="$PATH" HOME="$scratch" DISABLE_AUTOUPDATER=1 "$program" --version 2>>"$scratch/version.err") || continue
        case $says in "$want "*) printf '%s\n' "$program"; return 0 ;; esac
    done
    return 1
}

find_claude && exit 0

command -v npm >/dev/null 2>&1 || { echo "install.sh: npm is not on PATH, so claude $want cannot be installed" >&2; exit 69; }
command -v flock >/dev/null 2>&1 || { echo "install.sh: flock (util-linux) is not on PATH" >&2; exit 69; }

exec 9>"$here/.install.lock"
flock 9
find_claude && exit 0   # somebody else installed it while we waited

set -- PATH="$PATH" HOME="$scratch"
for name in NODE_EXTRA_CA_CERTS HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy npm_config_registry; do
    eval "value=\${$name-}"
    if [ -n "$value" ]; then set -- "$@" "$name=$value"; fi
done
if ! (cd "$here" && env -i "$@" npm ci --ignore-scripts --no-audit --no-fund) >"$scratch/npm.log" 2>&1; then
    echo "install.sh: npm ci failed; its last lines:" >&2
    tail -n 15 "$scratch/npm.log" >&2
    exit 70
fi

find_claude && exit 0
echo "install.sh: npm ci succeeded but no claude $want for this machine starts from $here/node_modules" >&2
if [ -f "$scratch/version.err" ]; then tail -n 5 "$scratch/version.err" >&2; fi
exit 70
