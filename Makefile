# What a newcomer runs. Rust and make are enough to begin with; the rest is installed where it can be.
# `make` alone says what there is.

PREFIX ?= $(HOME)/.local
# Two programs of the tests and the demo, beside the tests themselves.
KIT = cargo build --locked --quiet -p testkit --bins

.POSIX:
.PHONY: help build test bench fuzz judgement audit install demo needs

help:
	@echo 'make test      install what the tests need, lint, run every test'
	@echo 'make demo      watch the guard stand over a real agent, in a temporary home'
	@echo 'make install   build the release program and put it below PREFIX ($(PREFIX))'
	@echo 'make build     build the release program and say where it is'
	@echo 'make bench     measure every number of the design and print it beside its target'
	@echo 'make judgement  friction and misses over the recorded corpora (AMBIT_CORPORA names their directory)'
	@echo 'make fuzz      throw changed seeds at what reads texts of strangers, 30 seconds each'
	@echo 'make audit     check licences, duplicates, sources and advisories of the dependencies'

needs:
	@sh scripts/needs.sh

build: needs
	@sh scripts/release.sh

test: needs
	@sh scripts/test.sh

bench: needs
	@sh scripts/bench.sh

# AMBIT=PATH tries another program than the release build.
judgement: needs
	@program=$${AMBIT:-$$(sh scripts/release.sh)} && \
	cargo run --locked --quiet -p ambit --example judgement -- "$$program"

# FUZZ='TARGET SECONDS' chooses one, or another time.
FUZZ ?= all 30
fuzz:
	@CARGO_TARGET_DIR=target cargo run --locked --quiet --manifest-path fuzz/Cargo.toml --bin drive -- $(FUZZ)

audit: needs
	@sh scripts/audit.sh

install: needs
	@program=$$(sh scripts/release.sh) && mkdir -p '$(PREFIX)/bin' && \
	install -m 755 "$$program" '$(PREFIX)/bin/ambit' && \
	echo 'installed $(PREFIX)/bin/ambit; next, in a project: ambit init'

# AMBIT=PATH tries another program than the release build.
demo: needs
	@program=$${AMBIT:-$$(sh scripts/release.sh)} && $(KIT) && cargo run --locked --quiet -p testkit --bin demo -- "$$program"
