# make demo   run everything          make test   the whole suite
# make check  format, lint, types     make bench  the benchmarks
# make audit  known holes in what is installed     make load   500 listeners at once
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH := torch==2.13.0

.DEFAULT_GOAL := help
.PHONY: help install browser demo test check audit format bench chaos load clean

help:
	@head -3 Makefile | sed 's/^# //'

# torch first and pinned, so that nothing brings another one.
$(VENV)/.installed: pyproject.toml scripts/mend_torchaudio.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "EvoMusic needs Python 3.11 or newer; this is $$($(PYTHON) --version). Name another: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Installing into $(VENV): a few minutes the first time ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "No virtual environment could be made. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[web,player,maps,s3,dev]"
	@$(BIN)/python scripts/mend_torchaudio.py
	@touch $@

node_modules/.installed: package.json package-lock.json .npmrc $(VENV)/.installed
	@$(BIN)/python scripts/npm.py ci --no-audit --no-fund --silent
	@touch $@

install: $(VENV)/.installed node_modules/.installed

# A browser for the journeys: the machine's, else Debian's or Playwright's.
browser: install
	@$(BIN)/python scripts/find_browser.py --install

demo: install
	@$(BIN)/python -m evomusic_site.demo

test: install browser
	$(BIN)/python scripts/npm.py test --silent
	$(BIN)/python -m pytest

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run

# Known holes in what is installed; says so where the services cannot be reached.
audit: install
	@$(BIN)/python scripts/audit.py

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install
	$(BIN)/python -m benchmarks

# Some three minutes; takes all of two cores.
load: install
	$(BIN)/python -m benchmarks.load --listeners 500 --ratings 100 --seconds 60 --web 1

# Kills at random while listeners listen, at most ten minutes: `make chaos KILLS=20 SEED=2` (docs/chaos.md).
KILLS ?= 200
SEED ?= 1
chaos: install
	$(BIN)/python -m benchmarks.chaos --kills $(KILLS) --seed $(SEED) --listeners 6

clean:
	rm -rf $(VENV) node_modules build *.egg-info
