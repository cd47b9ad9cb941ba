# vend: one command for each habit. A line `target: ## text` is shown by `make help`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

CARGO ?= cargo
# Beside Rust itself: cc links, mosquitto is the broker of the tests, strace counts syncs, Python is for pymodbus.
BUILD_NEEDS := cc=gcc ld=binutils
TEST_NEEDS := $(BUILD_NEEDS) mosquitto=mosquitto mosquitto_passwd=mosquitto strace=strace python3=python3 \
	python3:ensurepip=python3-venv
# An independent Modbus implementation, on both sides of the line: board against our driver, host against our board.
PYMODBUS := 3.16.1
VENV := build/venv
VENV_READY := $(VENV)/pymodbus-$(PYMODBUS)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build-needs ## the main job, played through: orders in, motors turned, merchants told, never twice
	$(CARGO) run --features demo -- demo

.PHONY: test
test: test-needs $(VENV_READY) ## every test; ends with one line that counts them
	@export PATH="$$PATH:/usr/sbin" VEND_TEST_PYTHON="$(abspath $(VENV))/bin/python"; \
		{ failed=0; $(CARGO) test --no-fail-fast || failed=1; \
		$(CARGO) test --features demo --lib sim::demo || failed=1; \
		$(CARGO) test --features demo --test demo || failed=1; exit $$failed; } 2>&1 | scripts/sum-up-tests

SEEDS ?= 100000
.PHONY: sim
sim: build-needs ## SEEDS simulated lives of a machine (100,000; about ten minutes); SEED=n tells one
	$(CARGO) test --test simulation -- --nocapture
sim: export SEEDS := $(SEEDS)

.PHONY: mutants
mutants: build-needs ## a sample of 340 mutants against the tests (an hour or more; goes on where it stopped); JOBS=2: two at once
	scripts/mutants

.PHONY: check
check: build-needs ## format, lints, documentation, licences and advisories, the systemd unit
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	$(CARGO) clippy --features demo --bins -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --document-private-items --quiet
	bash -n scripts/* .ci/run
	scripts/lint-unit
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
		$(CARGO) deny --all-features check licenses bans sources; \
		if $(CARGO) deny --all-features fetch db >/dev/null 2>&1; then $(CARGO) deny --all-features check advisories; \
		else echo "not checked, since the advisory database is not reached: advisories" >&2; fi; \
		else echo "not checked, since cargo-deny is missing (cargo install cargo-deny): licences, advisories, sources" >&2; fi

.PHONY: build
build: build-needs ## the shipped binary, target/release/vend
	$(CARGO) build --release

.PHONY: fmt
fmt: ## format the code
	$(CARGO) fmt

.PHONY: bless
bless: ## write anew what is printed from the code (the table in docs/order-life.md)
	BLESS=1 $(CARGO) test --test order_life_doc

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
	@$(VENV)/bin/python -m pip install --quiet 'pymodbus[serial]==$(PYMODBUS)' \
		|| { echo "missing, and PyPI is not reached: pymodbus $(PYMODBUS), which the Modbus tests need" >&2; exit 1; }
	@touch $@
