# make demo   install what is needed and run the main job on a sample store, start to end
# make test   install what is needed and run all tests
# make check  what CI runs beside the tests, and the tests
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
TEST_PACKAGES := acl samba smbclient strace chromium poppler-utils fonts-noto-cjk libreoffice-writer-nogui iproute2 nftables util-linux e2fsprogs postgresql
STORE ?=

.PHONY: venv demo story test test-service test-crash simulate check check-static format lock clean
.PHONY: fleet fuzz-hq system-packages test-pages test-hq-kills
.PHONY: bench-detect bench-scale bench-guard bench-seal bench-tables bench-persons bench-hq-persons
.DELETE_ON_ERROR:

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || packaging/system-packages python3-venv
	@$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed: install the package python3-venv" >&2; exit 2; }

$(VENV)/.run: requirements/central.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing Cloche into $(VENV) (some minutes the first time)" >&2
	@$(PIP) install --require-hashes -r requirements/central.txt
	@$(PIP) install --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

venv: $(VENV)/.run

demo: $(VENV)/.run
	@$(BIN)/python packaging/demo/run.py $(if $(STORE),--store "$(STORE)")

system-packages:
	@packaging/system-packages $(TEST_PACKAGES)

test: $(VENV)/.dev system-packages
	$(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m "not alone and not slow"
	$(BIN)/pytest -q -m "alone and not slow" tests/acceptance tests/agent

check-static: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: check-static test

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Accuracy on labelled data (DATA names its folder, if there is any) and speed against peers.
bench-detect: $(VENV)/.dev
	@packaging/system-packages ripgrep
	OPENBLAS_NUM_THREADS=1 $(BIN)/python benchmarks/bench_detect.py $(DATA)

# The cost of twice the input, to a gigabyte.
bench-scale: $(VENV)/.dev
	$(BIN)/python benchmarks/bench_scale.py

bench-tables: $(VENV)/.dev
	$(BIN)/python benchmarks/bench_tables.py

# A million affected persons counted and listed: seconds and memory.
bench-persons: $(VENV)/.dev
	$(BIN)/python benchmarks/bench_persons.py

# Ten million persons known to two hundred stores, each counted once: seconds and memory.
bench-hq-persons: $(VENV)/.dev
	$(BIN)/python benchmarks/bench_hq_persons.py

# Head office: reports a second on SQLite and PostgreSQL beside a bare peer, orders to a thousand stores, and every page
# over 2,000 stores with 5M places (BENCH_LARGE=1: over 10,000 with 10M as well). All run, whichever misses its target.
bench-hq: $(VENV)/.dev
	@packaging/system-packages postgresql
	@failed=0; run() { echo "benchmarks/$$*"; $(BIN)/python benchmarks/$$* || failed=1; }; \
	run bench_hq_ingest.py; run bench_hq_orders.py; run bench_hq_pages.py; run bench_hq_pages.py --database sqlite; \
	$(if $(BENCH_LARGE),run bench_hq_pages.py --stores 10000 --findings 10000000;) exit $$failed

bench-seal: $(VENV)/.dev
	$(BIN)/python benchmarks/bench_seal.py

bench-guard: $(VENV)/.dev
	$(BIN)/python benchmarks/bench_guard.py

lock: $(VENV)/.dev
	packaging/lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache

# Kills the daemon at random moments while it seals and isolates (CLOCHE_CRASH_ROUNDS, default 100).
test-crash: $(VENV)/.dev
	CLOCHE_CRASH_ROUNDS=$${CLOCHE_CRASH_ROUNDS:-100} $(BIN)/pytest -q tests/acceptance/test_crash.py

# Kills head office and PostgreSQL at random under load (CLOCHE_HQ_KILLS, default 200).
test-hq-kills: $(VENV)/.dev
	@packaging/system-packages postgresql
	CLOCHE_HQ_KILLS=$${CLOCHE_HQ_KILLS:-200} $(BIN)/pytest -q -s tests/central/test_hq_kills.py

.cache/rootfs:
	packaging/system-packages debootstrap systemd-container git
	mkdir -p .cache
	debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,python3,python3-venv,procps,acl,iproute2,passwd bookworm $@.new >/dev/null
	mv $@.new $@

.cache/wheelhouse: requirements/central.txt | $(VENV)/.dev
	$(PIP) download --require-hashes -r requirements/central.txt -d $@
	$(PIP) download -d $@ setuptools wheel "hatchling>=1.27"
	@touch $@

# The installed service, under systemd, in a container (root only).
test-service: .cache/rootfs .cache/wheelhouse
	$(BIN)/pytest -q -m slow tests/acceptance/test_service.py

# Every command of the handbook in both languages, and a thousand simulated incidents (CLOCHE_SIMULATED): random people, clocks that jump, machines that are off.
simulate: $(VENV)/.dev
	$(BIN)/pytest -q -m slow tests/acceptance/test_handbook.py
	CLOCHE_SIMULATED=$${CLOCHE_SIMULATED:-1000} $(BIN)/pytest -q tests/acceptance/test_simulated_incidents.py

# A fleet of simulated stores against a real head office: an order to a thousand, a storm after 30 days (STORES, FLEET).
fleet: $(VENV)/.dev
	@packaging/system-packages postgresql
	$(BIN)/python benchmarks/fleet/run.py --stores $${STORES:-2000} $(FLEET)

# Head office's pages at every width in every language (the suite looks at each page once).
test-pages: $(VENV)/.dev
	$(BIN)/pytest -q -m "slow or not slow" tests/central/test_axe.py tests/central/test_axe_rooms.py \
	  tests/central/test_register.py tests/central/test_people_browser.py

# Head office's API and wire under requests drawn anew (CLOCHE_FUZZ of each operation).
fuzz-hq: $(VENV)/.dev
	CLOCHE_FUZZ=$${CLOCHE_FUZZ:-500} $(BIN)/pytest -q --timeout 3600 tests/central/test_fuzz.py

# One leak from the first word to the closing; every paper is left in build/story/documents.
story: $(VENV)/.dev
	@$(BIN)/python packaging/story/run.py $(if $(STORY_LANGUAGE),--language $(STORY_LANGUAGE))
