#!/bin/sh
# Installs the few programs that building, testing and the demo need: Debian packages where apt-get is there and we
# are root; otherwise it names what is missing. Missing optional things only cost the tests that need them.
set -eu

lacks() { ! command -v "$1" >/dev/null 2>&1; }

packages='' missing=''
want() { # PROGRAM PACKAGE
    if lacks "$1"; then packages="$packages $2" missing="$missing $1"; fi
}
want cc gcc
want git git
want protoc protobuf-compiler
want bash bash
want npm npm
want ip iproute2
want unshare util-linux
want flock util-linux
want chromium chromium
want secret-tool libsecret-tools
want gnome-keyring-daemon gnome-keyring
want dbus-run-session dbus

[ -n "$packages" ] || exit 0
if ! lacks apt-get && [ "$(id -u)" = 0 ]; then
    echo "needs: installing$packages" >&2
    log=$(mktemp)
    if (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages libc6-dev ca-certificates) >"$log" 2>&1; then
        rm -f "$log"
        exit 0
    fi
    echo "needs: apt-get could not install$packages; its last lines:" >&2
    tail -n 5 "$log" >&2
    rm -f "$log"
fi

echo "needs: not here:$missing (Debian packages:$packages)" >&2
if lacks cc || lacks git || lacks protoc; then
    echo "needs: without cc, git and protoc nothing can be built; install them and run this again" >&2
    exit 1
fi
echo "needs: going on; what needs them is skipped, and says so" >&2
