# Every target sets itself up: a machine needs only make and a Python from 3.11 on, with its venv module.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := $(VENV)/.installed-demo
TEST := $(VENV)/.installed-test
MAX_LINES := 300
AT_ONCE ?= 6
PORT ?= 8000
SERVERS ?= $(TEST_SERVERS)

.PHONY: demo help setup emulator test test-endpoint chaos mutants check audit lambda release site bench clean

demo: $(DEMO)  ## replicate between two tables of an emulator in this terminal
	$(BIN)/dynamirror demo

help:  ## print these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(TEST)  ## make .venv with all that the commands, the tests and the checks need

emulator: $(TEST)  ## ministack on this machine until Ctrl-C, tables in memory; PORT=8001 for another port
	$(BIN)/python -m tests.servers ministack --port $(PORT)

test chaos: export TEST_SERVERS := $(SERVERS)
# Each of the test processes imports all tests: compiled, that takes half as long.
test chaos: export PYTHONDONTWRITEBYTECODE :=

test: $(TEST)  ## run all tests; PYTEST="-k word" narrows them, AT_ONCE=0: one by one, SERVERS=moto,dynoxide: on those
	$(BIN)/python -m tests.servers fetch
	$(BIN)/python -m pytest -n $(AT_ONCE) --dist worksteal $(PYTEST)

test-endpoint: $(TEST)  ## the contract and integration tests on your own DynamoDB: URL=http://localhost:8000, or AWS's
	$(BIN)/python -m tests.on_endpoint "$(URL)" $(if $(YES),--yes) -- $(PYTEST)

chaos: $(TEST)  ## a long night: all settings, more of each property, then faults and kills; CHAOS="--kills 20" or CHAOS="--seed 7": these only
	$(BIN)/python -m tests.servers fetch
	[ -n "$(CHAOS)" ] || HYPOTHESIS_PROFILE=more $(BIN)/python -m pytest -q -n $(AT_ONCE) --timeout 0 tests/property
	[ -n "$(CHAOS)" ] || TEST_THOROUGHLY=1 $(BIN)/python -m pytest -q -n $(AT_ONCE) --timeout 0 \
		$$(grep -rlE --include='test_*.py' 'support.(thoroughness|installed)|mark.thorough|a_night' tests)
	TEST_THOROUGHLY=1 $(BIN)/python -m tests.chaos $(CHAOS)

mutants: $(TEST)  ## plant the mistakes of tests/mutants/mistakes.toml one by one: a test must notice each; MUTANTS="lease lag": some
	$(BIN)/python -m tests.mutants $(MUTANTS)

check: $(TEST)  ## format, lint, types, import contracts, file lengths
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	@find service api tests benchmarks -name '*.py' -exec awk -v max=$(MAX_LINES) \
		'END { if (NR > max) { print FILENAME ": " NR " lines, at most " max; exit 1 } }' {} \; > $(VENV)/too-long
	@if [ -s $(VENV)/too-long ]; then cat $(VENV)/too-long; exit 1; fi

audit: $(TEST)  ## known vulnerabilities of the dependencies; asks the internet, and fails where it can't
	$(BIN)/python -m pip install --quiet --upgrade --target .cache/audit 'pip-audit>=2.9'
	PYTHONPATH=.cache/audit $(BIN)/python -m pip_audit --strict --no-deps --disable-pip -r constraints.txt

lambda: $(DEMO)  ## build dist/dynamirror-lambda.zip; LAMBDA="--python 3.13 --architecture arm64" for another runtime
	$(BIN)/python deploy/lambda/build.py $(LAMBDA)

release: $(TEST)  ## build into dist/ what a release has: sdist, wheel, bill of materials, Lambda packages for both processors
	rm -rf dist .cache/release
	$(BIN)/python -m pip install --quiet --target .cache/release/tools build cyclonedx-bom
	PYTHONPATH=.cache/release/tools $(BIN)/python -m build --outdir dist
	$(PYTHON) -m venv .cache/release/installed
	.cache/release/installed/bin/python -m pip install --quiet -c constraints.txt dist/*.whl
	.cache/release/installed/bin/dynamirror --version
	PYTHONPATH=.cache/release/tools $(BIN)/python -m cyclonedx_py environment --pyproject pyproject.toml \
		--output-file dist/bill-of-materials.cdx.json .cache/release/installed/bin/python
	for each in x86_64 arm64; do \
		$(BIN)/python deploy/lambda/build.py --architecture $$each && mv dist/dynamirror-lambda.zip dist/dynamirror-lambda-$$each.zip || exit 1; \
	done
	ls -l dist

site: $(VENV)/.installed-site  ## build the documents into dist/site; a broken link is an error
	rm -rf .cache/site dist/site && mkdir -p .cache/site/pages
	git ls-files -z '*.md' deploy schemas docs .github LICENSE | tar --create --null --files-from - \
		| tar --extract --directory .cache/site/pages
	find .cache/site/pages -name '*.md' -exec perl -pi -e 's/^(```\w+) .*/$$1/' {} +  # the words that the tests read
	NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict

bench: $(TEST)  ## ratios to the obvious program and to the limit; BENCH="--quick" takes a minute
	$(BIN)/python -m benchmarks $(BENCH)

clean:  ## delete .venv, .cache and whatever was built
	rm -rf $(VENV) .cache build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

# What the tests need holds what the demo needs, so the demo leaves an environment with the tests as it is.
$(DEMO): pyproject.toml constraints.txt | $(VENV)/.created
	@[ -e $(TEST) ] || echo "installing into $(VENV), once; this takes a minute or two"
	@[ -e $(TEST) ] || $(BIN)/python -m pip install --quiet -c constraints.txt -e '.[demo]'
	@[ ! -e $(TEST) ] || $(MAKE) --no-print-directory $(TEST)
	@touch $@

$(TEST): pyproject.toml constraints.txt | $(VENV)/.created
	@echo "installing into $(VENV), once; this takes some minutes"
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[test]'
	@touch $@

$(VENV)/.installed-site: pyproject.toml constraints.txt | $(VENV)/.created
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[site]'
	@touch $@

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "dynamirror needs Python 3.11 or newer; name one with: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(PYTHON) -m virtualenv --version >/dev/null 2>&1 \
		|| { echo "$(PYTHON) can't make virtual environments: install python3-venv, or virtualenv" >&2; exit 1; }
	@if $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then $(PYTHON) -m venv $(VENV); \
		else $(PYTHON) -m virtualenv --quiet $(VENV); fi
	@touch $@
