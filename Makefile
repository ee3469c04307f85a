# The contributor's manual: `make help`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LANGUAGE_SERVER := 1.25.0
export UV_PYTHON_DOWNLOADS := never

.DEFAULT_GOAL := help
.PHONY: help setup run test e2e editor interop check format bench attack simulation chaos chaos-short screenshots image manual lock clean

help: ## this list
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-11s %s\n", $$1, $$2}'

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info[:2] <= (3, 14) or sys.exit("the router runs on Python 3.11 to 3.14, and $(PYTHON) is %d.%d; name another, like `make PYTHON=python3.14 setup`" % sys.version_info[:2])'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv is missing; on Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "setting up $(VENV) (once)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -c "import pathlib, sysconfig; pathlib.Path(sysconfig.get_paths()['purelib'], 'router-here.pth').write_text('$(CURDIR)\n')"
	@$(BIN)/python -m compileall -q router
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@rm -f $(VENV)/lib/python*/site-packages/router-here.pth
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

setup: $(VENV)/.dev ## only the set-up: .venv with `router` in it

run: $(VENV)/.runtime ## serve on http://127.0.0.1:8000 in capture mode, with the sample events
	@$(BIN)/python -m router.demo

test: $(VENV)/.dev ## the whole test suite but for the browser
	@$(BIN)/python -m pytest

e2e: $(VENV)/.dev ## the browser tests (Debian: apt-get install chromium)
	@$(BIN)/python -m pytest -m e2e tests/e2e

$(VENV)/.editor: $(VENV)/.dev
	@command -v npm >/dev/null || { echo "npm is missing; on Debian: apt-get install nodejs npm"; exit 1; }
	@npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts --prefix $(VENV)/editor yaml-language-server@$(LANGUAGE_SERVER)
	@touch $@

editor: $(VENV)/.editor ## what an editor says of rules files, by a real yaml-language-server (Debian: apt-get install nodejs npm)
	@$(BIN)/python -m pytest -m editor -n 0 tests/editor

interop: $(VENV)/.dev ## posts through real nginx and Caddy, and from Java (Debian: apt-get install nginx-light caddy default-jdk-headless)
	@$(BIN)/python -m pytest -m interop -n 0 tests/interop

check: $(VENV)/.dev ## linters, types, and the shipped rules with their tests
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy router tests benchmarks
	@$(BIN)/router check --strict
	@$(BIN)/router test --coverage --strict

format: $(VENV)/.dev ## put the code into its form
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(VENV)/.dev ## benchmarks: a table with ratios from one run
	@$(BIN)/python -m benchmarks

attack: $(VENV)/.dev ## attacks of strangers on a running router, with a sender beside: a table; `make attack ONLY="half heads"`, SECONDS of each
	@PYTHONPATH=tests $(BIN)/python -m attack $(if $(ONLY),"$(ONLY)") $(if $(SECONDS),--seconds $(SECONDS))

simulation: $(VENV)/.dev ## faults in simulated routers, drawn from seeds: a table, red ones with what repeats them; `make simulation SEEDS=1000`, SEED
	@PYTHONPATH=tests $(BIN)/python -m simulation $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),100))

chaos: $(VENV)/.dev ## the simulation, every thread ended and held up, then faults with real processes, as root: tables, red lines below (Debian: apt-get install postgresql iproute2 nftables gcc); `make chaos ONLY="cut off"`, SEED, SECONDS
	@status=0; \
	$(if $(ONLY),,PYTHONPATH=tests $(BIN)/python -m simulation --seeds $(or $(SEEDS),100) || status=1; PYTHONPATH=tests $(BIN)/python -m chaos.threads || status=1;) \
	PYTHONPATH=tests $(BIN)/python -m chaos $(if $(ONLY),--only "$(ONLY)") $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS)) || status=1; \
	exit $$status

chaos-short: $(VENV)/.dev ## the form of it for CI, about a minute (Debian: apt-get install gcc libc6-dev)
	@$(BIN)/python -m pytest -q -m chaos -n 0 tests/chaos
	@PYTHONPATH=tests $(BIN)/python -m chaos --short $(if $(SEED),--seed $(SEED))

screenshots: $(VENV)/.dev ## pictures of the pages for the docs (Debian: apt-get install chromium)
	@PYTHONPATH=tests $(BIN)/python tests/screenshots.py

image: ## the container image (docker, podman or buildah, whichever is there)
	@deploy/build-image

manual: $(VENV)/.dev ## write docs/commands.md and docs/keys anew, from what commands and keys say of themselves
	@PYTHONPATH=tests $(BIN)/python tests/cli/test_manual.py
	@PYTHONPATH=tests $(BIN)/python tests/key_pages.py

lock: $(VENV)/.dev ## lock the requirements again after a change in pyproject.toml
	@$(BIN)/python -m pip install -q uv
	@$(BIN)/uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements.txt
	@$(BIN)/uv pip compile -q pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -c requirements.txt -o requirements-dev.txt

clean: ## take away what the set-up made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
