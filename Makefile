# Everything a person or a machine does with this repository. `make` alone lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WANTED := $(shell cat .python-version)
# How many processes run the tests: most of them wait for a browser, a server or a disk.
WORKERS ?= 2

# Python 3.12 or newer: the version that .python-version names if pyenv or uv has it, else any that is new enough.
define FIND_PYTHON
for candidate in "$$PYTHON" python$(WANTED) "$$(pyenv prefix 2>/dev/null)/bin/python" \
	$$(ls -d "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/$(WANTED)*/bin/python 2>/dev/null | tail -n 1) \
	"$$(uv python find $(WANTED) 2>/dev/null)" python3 python3.14 python3.13 python3.12; do \
	[ -n "$$candidate" ] && "$$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && break; \
	candidate=; \
done; \
if [ -z "$$candidate" ]; then \
	echo "Modelshelf needs Python 3.12 or newer with its venv module; none was found." >&2; \
	echo "Install $(WANTED) (for example: 'pyenv install $(WANTED)', 'uv python install $(WANTED)', or your system's package)," >&2; \
	echo "or name one: make PYTHON=/path/to/python $(MAKECMDGOALS)" >&2; \
	exit 1; \
fi
endef

# What ours is measured against, as a person would install it.
PEERS := llmfit==1.1.17
# Programs that only the long trials need: one that reads what landed, and a server that others wrote.
READERS := transformers==5.24.0
MIRROR := olah==0.5.4
# What the catalogue is measured against.
ENGINES := duckdb==2.0.1 tantivy==0.27.0 pyarrow==26.0.1

.PHONY: help venv run test check fix browser bench bench-downloads bench-vetting bench-catalogue bench-ui deep clean

help: ## list what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 12

venv: $(STAMP) ## build .venv with everything in it

$(STAMP): pyproject.toml constraints.txt .python-version
	@$(FIND_PYTHON); \
	echo "Building $(VENV) with $$("$$candidate" --version) ..."; \
	"$$candidate" -m venv --clear $(VENV)
	$(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt --editable '.[dev,notebook]'
	@touch $@

run: $(STAMP) ## serve the dashboard on http://127.0.0.1:5006/ and open it
	@exec $(BIN)/modelshelf serve

test: $(STAMP) ## every test; without a Chromium those that need one are skipped, and that is said
	@$(BIN)/python tests/chromium.py || echo "The browser tests are skipped."
	@$(BIN)/python -m pytest -m 'not deep' -n $(WORKERS) --dist loadfile $(TESTS)

browser: $(STAMP) ## the Chromium that the tests drive
	@$(BIN)/python tests/chromium.py

check: $(STAMP) ## ruff, format, mypy strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

fix: $(STAMP) ## let ruff mend and format
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench: $(STAMP) browser ## measure what the README claims, beside peers; prints a table. BENCH=compat measures that alone
	@$(BIN)/python -m pip install -qq --disable-pip-version-check $(PEERS) || echo "No peers could be installed: ours are measured alone."
	@$(BIN)/python -m benchmarks $(BENCH)

bench-downloads: $(STAMP) ## downloads beside aria2c, curl and huggingface_hub, from nginx over TLS on loopback; takes some 12 GB
	@command -v nginx aria2c curl openssl >/dev/null || { apt-get update -qq && apt-get install -y -qq nginx-light aria2 curl openssl >/dev/null; }
	@$(BIN)/python -m benchmarks downloads

bench-vetting: $(STAMP) ## what scanning finds and how long it takes, beside picklescan, modelscan and modelaudit
	@$(BIN)/python -m benchmarks vetting

bench-catalogue: $(STAMP) ## 2.5 million models beside SQLite FTS5, tantivy, DuckDB and pandas; takes some 3 GB of disk and 10 minutes
	@$(BIN)/python -m venv $(VENV)/catalogue && $(VENV)/catalogue/bin/python -m pip install -qq --disable-pip-version-check $(ENGINES) \
		|| echo "Without DuckDB and tantivy: they are not measured."
	@$(BIN)/python -m benchmarks catalogue

bench-ui: $(STAMP) browser ## jumps between the tabs, and what two open pages show of a change
	@$(BIN)/python -m benchmarks ui

deep: $(STAMP) browser ## the long trials
	@$(BIN)/python -m pip install -qq --disable-pip-version-check $(READERS) || echo "Without transformers: its trial is skipped."
	@$(BIN)/python -m venv $(VENV)/olah && $(VENV)/olah/bin/python -m pip install -qq --disable-pip-version-check $(MIRROR) \
		|| echo "Without olah: its trials are skipped."
	@$(BIN)/python -m pytest -m deep $(TESTS)

clean: ## remove what was built
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
