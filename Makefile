# banach: the commands. `make` alone lists them. Needs Python 3.11+, make and git.

VENV := .venv
BIN := $(VENV)/bin
PYTHON := $(BIN)/python
STAMP := $(VENV)/.installed
LOG := $(VENV)/install.log
# The first that runs and is new enough. A name on PATH may be a shim that fails.
CANDIDATES ?= python3.13 python3.12 python3.11 python3
REPORT ?= reports/race.html

.DEFAULT_GOAL := help
.PHONY: help venv install new check prove test test-fast fuzz mutants wheel-test race bench \
	claims docs lint index readme gallery clean

help:  ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | \
		awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

# A virtual environment whose interpreter no longer runs is made anew.
venv:  ## create .venv, if it is not there
	@if $(PYTHON) -c 'import pip' >/dev/null 2>&1; then exit 0; fi; \
	for candidate in $(CANDIDATES); do \
		if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
			>/dev/null 2>&1; then found=$$candidate; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "No Python 3.11 or newer runs here (tried: $(CANDIDATES))." >&2; \
		echo "Install one, or name it: make CANDIDATES=/path/to/python3" >&2; \
		exit 1; \
	fi; \
	if ! $$found -c 'import ensurepip, venv' >/dev/null 2>&1; then \
		version=$$($$found -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
		echo "$$found cannot create virtual environments (no ensurepip)." >&2; \
		echo "On Debian or Ubuntu: apt-get install python$$version-venv" >&2; \
		exit 1; \
	fi; \
	echo "Creating $(VENV) with $$($$found --version)" >&2; \
	$$found -m venv --clear $(VENV)

# The stamp holds a checksum of what was installed, and the place it was installed
# for: a fresh checkout changes times, not contents.
install: venv  ## install banach and everything its tests and docs need into .venv
	@want="$$(cat pyproject.toml constraints.txt | cksum) $$(pwd)"; \
	if [ "$$(cat $(STAMP) 2>/dev/null)" = "$$want" ]; then exit 0; fi; \
	echo "Installing into $(VENV) (a few minutes the first time)" >&2; \
	if ! $(PYTHON) -m pip install --disable-pip-version-check --no-input \
		-c constraints.txt -e ".[test,peers,docs]" >$(LOG) 2>&1; then \
		tail -n 40 $(LOG) >&2; \
		echo "The installation failed; the whole log: $(LOG)" >&2; \
		exit 1; \
	fi; \
	echo "$$want" >$(STAMP)

# These two install nothing: with .venv, or else with whatever python3 is.
HERE = $(or $(wildcard $(PYTHON)),$(shell which $(PYTHON) 2>/dev/null),python3)

new:  ## write a new method that passes: make new METHOD=name FAMILY=smooth
	@$(HERE) tests/scaffold.py "$(METHOD)" "$(FAMILY)" $(if $(NEW_FAMILY),--new-family)

check:  ## prove one method in under a minute: make check METHOD=name
	@$(HERE) tests/prove.py "$(METHOD)"

# Minutes where many methods changed, as after an upgrade of JAX: five seconds a pair.
prove: install  ## prove compiled loops whose programs changed, for the ledger of tests
	@$(PYTHON) -m tests.conformance.ledger --prove $(if $(METHOD),--method $(METHOD)) \
		$(if $(EVERY),--every)

test: install  ## run every test, and the checks of style and generated files
	@$(BIN)/ruff check --quiet .
	@$(PYTHON) -m banach.catalogue --check
	@$(PYTHON) tests/shards.py

test-fast: install  ## run the default tier: everything but the slow tests
	@$(PYTHON) tests/shards.py -m "not slow"

# N lanes of random problems; KIND=ridge,goal chooses kinds, SEED=1 other numbers.
N ?= 100000
SEED ?= 0
fuzz: install  ## hunt false certificates on N random problems (N=100000, SEED=0)
	@$(PYTHON) -m fuzz --lanes $(N) --seed $(SEED) $(if $(KIND),--kind $(KIND))

# Hours on two cores: COUNT=100, SEED=1; reports/mutants.jsonl is gone on with.
COUNT ?= 100
mutants: install  ## mutate the library at random lines, and see whether tests notice
	@test -d reports/executed || $(PYTHON) tests/executed_lines.py
	@$(PYTHON) tests/library_mutants.py --count $(COUNT) --seed $(SEED)

# Minutes, and downloads. PYTHONS=3.12 runs one alone; one that is not there is not run.
wheel-test: install  ## build the wheel, and use it in bare environments, Python by Python
	@$(PYTHON) tests/distribution.py $(if $(PYTHONS),$(PYTHONS:%=--python %),--write)

race: install  ## race all applicable methods on two real problems
	@mkdir -p $(dir $(REPORT))
	@$(BIN)/banach race logistic:breast_cancer lasso:diabetes --html $(REPORT)

bench: install  ## time banach beside its peers, and print the ratios
	@$(PYTHON) -m benchmarks

claims: install  ## redo the experiments that the methods' papers are known for
	@$(BIN)/banach claims run --all --jobs 2 --json --figures docs/images/claims \
		| $(PYTHON) docs/evidence.py

docs: install  ## build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict --quiet --site-dir site
	@echo "Open site/index.html" >&2

lint: install  ## check style, formatting and types
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy

index: install  ## regenerate the catalogue, the bibliography and the stubs from the sources
	@$(PYTHON) -m banach.catalogue --write
	@$(PYTHON) docs/generate.py --write
	@$(PYTHON) tests/typing/public_stub.py --write

readme: install  ## regenerate the tables of the README: kinds, and speed as measured
	@$(PYTHON) docs/readme.py --write

# NAMES="05 game" chooses scripts.
gallery: install  ## run the scripts of docs/gallery, and write their pages and pictures
	@$(PYTHON) docs/gallery.py --write $(NAMES)

clean:  ## remove the environment and everything that was built
	@rm -rf $(VENV) site build dist reports docs/methods docs/kinds docs/evidence docs/api src/*.egg-info \
		.pytest_cache .ruff_cache .hypothesis
	@find src tests docs benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
