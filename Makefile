# Two commands are enough: `make run` and `make test`. The rest is for those who work on it.

.PHONY: run test build deb apt-repo bench gates-table check soak fuzz setup-test clean

TARGET := x86_64-unknown-linux-gnu
# nextest runs each test in a process of its own; without it cargo's own runner does the same tests.
RUNNER := $(shell cargo nextest --version >/dev/null 2>&1 && echo "cargo nextest run" || echo "cargo test")

# The release before this one; before there was one, the last commit of another schema.
PREVIOUS = $(shell git describe --tags --abbrev=0 HEAD^ 2>/dev/null || echo 1e907bb)

# Builds and starts the product on a built-in feed: no journal, no Redis, no root.
run:
	cargo run --locked -- demo

# Installs what the tests need (Debian packages), then formatting, lints and every test.
test: setup-test
	cargo fmt --check
	cargo clippy --locked --all-targets --features failpoints -- -D warnings
	$(RUNNER) --locked --features failpoints

setup-test:
	sh packaging/scripts/setup-test

# The static release binary.
build:
	sh packaging/scripts/build-binary --release
	mkdir -p dist
	cp target/$(TARGET)/release/quantum-clm dist/quantum-clm
	@ldd dist/quantum-clm 2>&1 | grep -q 'statically linked' && ls -l dist/quantum-clm

# The Debian package, dist/quantum-clm_<version>_amd64.deb: from the release binary, or from the one that QUANTUM_CLM_BINARY names.
deb: $(if $(QUANTUM_CLM_BINARY),,build)
	sh packaging/scripts/build-deb dist

# A signed repository for apt with it, in dist/apt (README, Install).
apt-repo: deb
	sh packaging/scripts/apt-repo dist/apt dist/quantum-clm_$$(dpkg-parsechangelog --show-field Version)_amd64.deb

# The figures of docs/BENCHMARKS.md. QUANTUM_CLM_BENCH_LINES names a file of real lines, `unit<TAB>message` each.
bench: build setup-test
	cargo bench --locked --bench product

# The odds of the gates, by simulation, into docs/GATES.md. A few minutes; the seed is fixed.
gates-table:
	cargo run --locked --profile bench --example gates_table -- docs/GATES.md

# Everything that `test` does, and the licences, bans and sources of the dependencies.
check: test
	cargo deny check bans licenses sources

# The crash test five hundred times instead of twenty-five, a hundred backups under load instead of eight, and 500 jobs instead of
# 200 under fire; forty kills and power cuts of a whole system instead of twenty, and an upgrade from the release before, which is
# built for it (QUANTUM_CLM_SOAK_FROM names another revision). Takes about half an hour.
# QUANTUM_CLM_SOAK_SEED repeats what went wrong.
soak: setup-test
	QUANTUM_CLM_SOAK_KILLS=500 $(RUNNER) --locked --features failpoints exactly_once
	QUANTUM_CLM_SOAK_BACKUPS=$${QUANTUM_CLM_SOAK_BACKUPS:-100} $(RUNNER) --locked --features failpoints backup::load
	QUANTUM_CLM_SOAK_JOBS=$${QUANTUM_CLM_SOAK_JOBS:-500} $(RUNNER) --locked --features failpoints whatever_is_killed_every_job
	QUANTUM_CLM_SOAK_CUTS=$${QUANTUM_CLM_SOAK_CUTS:-40} $(RUNNER) --locked --features failpoints nothing_is_twice_whatever_is_killed
	QUANTUM_CLM_PREVIOUS=$$(tests/appliance/previous $${QUANTUM_CLM_SOAK_FROM:-$(PREVIOUS)} target/previous/package) \
		$(RUNNER) --locked --features failpoints an_upgrade_refuses_nobody

# Needs the nightly toolchain and cargo-fuzz.
fuzz:
	cd fuzz && for target in export normalise codec; do cargo +nightly fuzz run $$target -- -max_total_time=60 || exit 1; done

clean:
	cargo clean
	rm -rf dist
