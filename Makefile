# vend: one command for each habit. A line `target: ## text` is shown by `make help`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

CARGO ?= cargo
# Beside Rust itself: cc links, mosquitto is the broker of the tests, strace counts syncs, Python is for the peers,
# Chromium shows the pages, with a font for Chinese.
BUILD_NEEDS := cc=gcc ld=binutils
TEST_NEEDS := $(BUILD_NEEDS) mosquitto=mosquitto mosquitto_passwd=mosquitto strace=strace python3=python3 \
	python3:ensurepip=python3-venv chromium=chromium fc-list=fontconfig font:zh=fonts-wqy-microhei
# Peers, programs that know nothing of ours: an implementation of Modbus on both sides of the line, board against our
# driver and host against our board, and a host for our Vendapin. They run in tests only, and nothing of them is shipped.
PYMODBUS := 3.16.1
PYVENDAPIN := 0.1
VENV := build/venv
VENV_READY := $(VENV)/pymodbus-$(PYMODBUS)-pyvendapin-$(PYVENDAPIN)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build-needs ## the main job, played through: orders in, motors turned, merchants told, never twice
	$(CARGO) run --features demo -- demo

.PHONY: test
test: test-needs $(VENV_READY) ## every test; ends with one line that counts them
	@export PATH="$$PATH:/usr/sbin" VEND_TEST_PYTHON="$(abspath $(VENV))/bin/python" RUST_TEST_THREADS=$(TEST_THREADS); \
		{ failed=0; $(CARGO) test --no-fail-fast || failed=1; \
		SEEDS=$(SEEDS_IN_TEST) $(SIMULATION) || failed=1; \
		{ $(SABOTAGE); } || failed=1; \
		$(CARGO) test $(DEMO_AND_SWITCHES) --lib cli::demo || failed=1; \
		$(CARGO) test $(DEMO_AND_SWITCHES) --test demo || failed=1; exit $$failed; } 2>&1 | scripts/sum-up-tests

# Most of the tests' time is waiting: for brokers, time-outs and turning motors.
TEST_THREADS := $(shell echo $$((3 * $$(nproc))))

# Optimised, with all checks of a debug build (profile.simulation): ten times the lives in the same time.
# With the switches of `make sabotage`, all off, so that one build serves both; a plain `cargo test` is without them.
SIMULATION := $(CARGO) test --profile simulation --features sabotage --test simulation -- --nocapture
# With its build two to three minutes of two cores; a plain `cargo test` runs a hundred lives in debug.
SEEDS_IN_TEST := 20000
SEEDS ?= 100000
.PHONY: sim
sim: build-needs ## SEEDS simulated lives of a machine (100,000), from FROM on; SEED=n tells one
	$(SIMULATION)
sim: export SEEDS := $(SEEDS)

KILLS ?= 1000
# The boards without a limit of their own for *unknown*, and a third of the kills for them.
OTHER_BOARDS := m102,lock-8a,lock-cu,lift-c7,col-ed,ff0055,ubox-e7,vendapin,vmc96
.PHONY: torture
torture: test-needs ## KILLS kills of the real binary (1,000; 30 minutes at most) and a third more on the other boards; SEED=n repeats
	@export PATH="$$PATH:/usr/sbin"; $(CARGO) test --test torture -- --nocapture && \
		BOARDS=$(OTHER_BOARDS) KILLS=$$(($(KILLS) / 3)) $(CARGO) test --test torture -- --nocapture
torture: export KILLS := $(KILLS)

.PHONY: crash
crash: test-needs ## 20,000 cuts of the recorded binary, 8,000 different states, 480 restarts (up to 20 minutes); SEED=n LIVES=1 repeats one life
	LIVES=$${LIVES:-16} STATES=$${STATES:-8000} RESTARTS=$${RESTARTS:-480} ORDERS=$${ORDERS:-150} \
		$(CARGO) test --test crash no_cut -- --nocapture

# One build for the demonstration's tests and for the unit tests that run without a clause, which lie beside it.
DEMO_AND_SWITCHES := --features demo,sabotage
NAMED_TESTS := what_the_simulation_cannot_see
SABOTAGE = $(CARGO) test --profile simulation --features sabotage --test sabotage -- --nocapture --skip $(NAMED_TESTS) && \
	$(CARGO) test $(DEMO_AND_SWITCHES) --lib --no-run && \
	$(CARGO) test $(DEMO_AND_SWITCHES) --test sabotage -- --nocapture $(NAMED_TESTS)
.PHONY: sabotage
sabotage: build-needs ## the proof that the proof can fail: each clause of each rule taken out, and found
	$(SABOTAGE)

.PHONY: mutants
mutants: build-needs ## a sample of 340 mutants against the tests (an hour or more; goes on where it stopped); JOBS=2: two at once
	scripts/mutants

MINUTES ?= 5
.PHONY: fuzz
fuzz: build-needs ## every decoder fuzzed, MINUTES (5) each, two at a time; goes on where it stopped (scripts/fuzz)
	scripts/fuzz $(MINUTES)

VENDS ?= 40
.PHONY: bench
bench: test-needs ## the pure parts and a commit timed, then the agent itself round disk and board, VENDS (40) for each family
	@export PATH="$$PATH:/usr/sbin"; $(CARGO) bench --bench budget && $(CARGO) bench --bench families
bench: export VENDS := $(VENDS)

# The bench and its README lie outside this project. All agents get what the unit gives ours.
.PHONY: bench-peers
bench-peers: build ## BENCH=folder of the bench: vend against the C, Python and Node.js agents, on a quiet computer (ten minutes)
	@test -x "$(BENCH)/run.sh" || { echo "BENCH= names the folder of the bench, with its run.sh" >&2; exit 2; }
	$(shell sed -n 's/^Environment=//p' systemd/vend.service) VEND_BIN="$(abspath $(BINARY))" "$(BENCH)/run.sh"

# Each of these writes its section of docs/budget.md anew, with its commit and machine.
BUDGET = @export PATH="$$PATH:/usr/sbin"; $(CARGO) bench --bench budget --
.PHONY: counts
counts: test-needs counts-needs ## instructions of the pure parts, by callgrind: the same on every run
	$(BUDGET) counts

.PHONY: growth
growth: test-needs counts-needs ## what is stored against instructions, memory and start (half an hour)
	$(BUDGET) growth

ORDERS ?= 1000000
.PHONY: flash
flash: test-needs ## bytes, syncs and pages a vend and a day, a card's years; the journal's size over ORDERS (1,000,000)
	$(BUDGET) flash
	$(BUDGET) journal
flash: export ORDERS := $(ORDERS)

.PHONY: soak
soak: test-needs ## MINUTES (30) at a high rate with faults on: memory, descriptors, threads, journal
	$(BUDGET) soak
soak: export MINUTES := $(if $(filter file default,$(origin MINUTES)),30,$(MINUTES))

.PHONY: budget
budget: counts growth flash soak ## docs/budget.md anew, all of it

# Each of these writes its section of docs/fleet.md anew. The programs that measure are not optimised, and need not be.
FLEET = @export PATH="$$PATH:/usr/sbin"; $(CARGO) bench --profile dev --bench fleet --
N ?= 200
.PHONY: fleet
fleet: test-needs build ## N (200) agents of the shipped build at one broker: memory, start, orders, a broker's restart (minutes)
	$(FLEET) agents
fleet: export N := $(N)
fleet: export VEND_BINARY = $(abspath $(BINARY))

.PHONY: fleet-arrivals
fleet-arrivals: build-needs ## a million machines come back to a broker that was away, in virtual time
	$(FLEET) arrivals

.PHONY: test-brokers
test-brokers: test-needs ## the agent against RabbitMQ; loudly SKIPPED where it cannot be installed
	-@scripts/need rabbitmq-server=rabbitmq-server
	@export PATH="$$PATH:/usr/sbin"; $(CARGO) test --test fleet rabbit -- --ignored --nocapture

.PHONY: counts-needs
counts-needs:
counts-needs:
	@scripts/need valgrind=valgrind

.PHONY: check
check: build-needs ## format, lints, documentation, licences and advisories, the scripts, the systemd units
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path tests/fuzz/Cargo.toml
	$(CARGO) clippy --all-targets -- -D warnings
	$(CARGO) clippy --features demo --bins -- -D warnings
	$(CARGO) clippy --features sabotage --lib --test sabotage -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --document-private-items --quiet
	bash -n scripts/* package/layout/vend-cc .ci/run
	@if command -v shellcheck >/dev/null; then shellcheck scripts/* package/layout/vend-cc .ci/run package/p* systemd/is-set-up systemd/vend-machine; \
		else echo "not checked, since shellcheck is missing: the scripts" >&2; fi
	$(CARGO) build --quiet --bin vend
	scripts/lint-unit
	@if command -v promtool >/dev/null; then promtool check rules systemd/examples/prometheus-rules.yml; \
		else echo "not checked, since promtool is missing (apt-get install prometheus): the alerts" >&2; fi
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
		$(CARGO) deny --all-features check licenses bans sources; \
		if $(CARGO) deny --all-features fetch db >/dev/null 2>&1; then $(CARGO) deny --all-features check advisories; \
		else echo "not checked, since the advisory database is not reached: advisories" >&2; fi; \
		else echo "not checked, since cargo-deny is missing (cargo install cargo-deny): licences, advisories, sources" >&2; fi

# Where it was built is not in it, so that the same sources are the same bytes (scripts/reproduce).
# Addresses that the loader sets at the start take a fiftieth of their room (glibc 2.36, Debian 12); where the linker does
# not know it, it says so and goes on. package/layout/vend-cc puts beside each other what the daemon runs, where the linker is
# lld.
SHIPPED_FLAGS = -Clink-arg=-Wl,-z,pack-relative-relocs \
	--remap-path-prefix=$(CURDIR)=vend --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=cargo
# Not among the flags, which go into the names of functions: where it was built would be in the list of them.
LINKED = VEND_CC=$(or $(CROSS_CC),cc) \
	CARGO_TARGET_$(shell echo '$(or $(TARGET),$(HOST))' | tr a-z- A-Z_)_LINKER="$(CURDIR)/package/layout/vend-cc"
.PHONY: build
build: build-needs ## the shipped binary, target/release/vend
	RUSTFLAGS="$(SHIPPED_FLAGS)" $(LINKED) $(CARGO) build --release $(if $(TARGET),--target $(TARGET))

# To be made anew when the shipped binary says at its build that it finds few of the functions by their whole name.
.PHONY: layout
layout: build-needs ## which functions the daemon runs, for `make build` (x86-64; needs mosquitto, openssl, Python)
	@scripts/need mosquitto=mosquitto openssl=openssl python3=python3
	VEND_KEEP_SYMBOLS=yes RUSTFLAGS="$(SHIPPED_FLAGS)" $(LINKED) $(CARGO) build --release --target-dir target/layout
	PATH="$$PATH:/usr/sbin" package/layout/trace target/layout/release/vend

# Rust's name of the platform that a package is for; without it, of this machine. For arm64 and armhf:
#   make deb TARGET=aarch64-unknown-linux-gnu
#   make deb TARGET=armv7-unknown-linux-gnueabihf
TARGET ?=
HOST := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
ifneq ($(filter-out $(HOST),$(TARGET)),)
FOREIGN := $(TARGET)
# Debian's name of the compiler has no vendor in it.
CROSS_CC := $(subst armv7,arm,$(subst -unknown,,$(TARGET)))-gcc
export CARGO_TARGET_$(subst -,_,$(shell echo '$(TARGET)' | tr a-z A-Z))_LINKER := $(CROSS_CC)
endif
# BINARY is what is installed; SPEAKER runs here and writes its manual pages.
BINARY ?= target/$(if $(TARGET),$(TARGET)/)release/vend
SPEAKER ?= $(if $(FOREIGN),target/debug/vend,$(BINARY))

.PHONY: install
install: ## installs what make build made, below DESTDIR
	@test -x $(BINARY) || { echo "there is no $(BINARY): run make build first" >&2; exit 1; }
	scripts/install-tree "$(DESTDIR)" $(BINARY) $(SPEAKER)

.PHONY: deb
deb: deb-needs build ## the Debian package, in build/; TARGET=aarch64-unknown-linux-gnu or armv7-… for controllers
	$(if $(FOREIGN),$(CARGO) build --quiet --bin vend)
	scripts/build-deb $(or $(TARGET),$(HOST)) $(BINARY) $(SPEAKER)

.PHONY: deb-needs
deb-needs:
	@scripts/need dpkg-shlibdeps=dpkg-dev python3=python3 git=git
ifdef FOREIGN
	@test -d "$$(rustc --print target-libdir --target $(TARGET))" || { \
		echo "Rust's library for $(TARGET) is not installed: rustup target add $(TARGET)" >&2; exit 1; }
	@scripts/need $(CROSS_CC)=gcc-$(patsubst %-gcc,%,$(CROSS_CC))
endif

.PHONY: test-install
test-install: build-needs ## the package in a booted Debian: installed, killed, hung, upgraded, purged (root; minutes)
	$(CARGO) build --bin vend
	mkdir -p build && strip -o build/vend-to-install target/debug/vend
	scripts/test-install build/vend-to-install

.PHONY: test-vm
test-vm: build-needs ## the same in a virtual machine, with a USB serial adapter plugged in and out (root; a minute with KVM)
	$(CARGO) build --bin vend
	mkdir -p build && strip -o build/vend-to-install target/debug/vend
	scripts/test-vm build/vend-to-install

.PHONY: reproduce
reproduce: deb-needs build-needs ## binary and package made twice, in two folders, and compared (many minutes)
	scripts/reproduce

.PHONY: fmt
fmt: ## format the code
	$(CARGO) fmt

.PHONY: bless
bless: ## write anew what is printed from the code (the tables in docs/order-life.md and docs/doctor.md)
	BLESS=1 $(CARGO) test --test order_life_doc
	BLESS=1 $(CARGO) test --test doctor document

.PHONY: clean
clean: ## remove what was built, Python's environment too
	$(CARGO) clean
	rm -rf build

.PHONY: build-needs
build-needs:
	@scripts/need $(BUILD_NEEDS)

.PHONY: test-needs
test-needs:
	@scripts/need $(TEST_NEEDS)

$(VENV_READY): | test-needs
	@rm -rf $(VENV) && python3 -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet 'pymodbus[serial]==$(PYMODBUS)' 'pyvendapin==$(PYVENDAPIN)' \
		|| { echo "missing, and PyPI is not reached: pymodbus $(PYMODBUS) and pyvendapin $(PYVENDAPIN), the peers" >&2; \
		exit 1; }
	@touch $@
