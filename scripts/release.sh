#!/bin/sh
# Builds the release program and prints its path. On Linux with glibc it is linked statically and at fixed addresses
# where glibc's static libraries are there: a hook lives for milliseconds, and a quarter of them went into loading and
# relocating. Otherwise it is linked dynamically, with a note.
set -eu
cd "$(dirname -- "$0")/.."

host=$(rustc -vV | sed -n 's/^host: //p')
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

static=no
case $host in
*-linux-gnu)
    # The libraries come with libc6-dev, but not on every distribution.
    if echo 'int main(void) { return 0; }' | cc -static -x c -o "$scratch/try" - 2>/dev/null && "$scratch/try"; then
        static=yes
    else
        echo 'release: no static libc here (Debian: libc6-dev), so the program is linked dynamically' >&2
    fi
    ;;
esac

if [ "$static" = yes ]; then
    # Named for this target only: build scripts and macros of the dependencies stay as they are.
    name=$(echo "$host" | tr 'a-z-' 'A-Z_')
    env "CARGO_TARGET_${name}_RUSTFLAGS=-C target-feature=+crt-static -C relocation-model=static" \
        cargo build --locked --release --target-dir target -p ambit --bin ambit --target "$host" >&2
    echo "$PWD/target/$host/release/ambit"
else
    cargo build --locked --release --target-dir target -p ambit --bin ambit >&2
    echo "$PWD/target/release/ambit"
fi
