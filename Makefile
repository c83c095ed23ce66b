# Every target does all of its own set-up. PYTHON may name another interpreter, 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Seconds that `make fuzz` takes.
FUZZ_SECONDS ?= 600

.PHONY: demo test test-slow fuzz check docs bench wheel-demo mutants clean

demo: $(VENV)/.ready-to-run
	$(BIN)/chroma demo -o chroma-demo

test: $(VENV)/.ready-to-develop
	$(BIN)/python -m pytest -m "not slow"

test-slow: $(VENV)/.ready-to-develop
	$(BIN)/python -m pytest -m slow

fuzz: $(VENV)/.ready-to-develop
	$(BIN)/python -m tests.fuzz.reader fuzz-found -max_total_time=$(FUZZ_SECONDS)

check: $(VENV)/.ready-to-develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.ready-to-develop
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --site-dir site

bench: $(VENV)/.ready-to-develop
	$(BIN)/python -m pytest benchmarks -o python_files='bench_*.py'

wheel-demo: $(VENV)/.ready-to-develop
	rm -rf build dist
	$(BIN)/python -m build --wheel --outdir dist
	bash tests/wheel_demo.sh "$(PYTHON)" dist/*.whl

mutants: $(VENV)/.ready-to-develop
	$(BIN)/python tests/mutants.py

$(VENV)/.ready-to-run: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade 'pip>=25'
	$(PIP) install --quiet --constraint constraints.txt --editable '.[opencv,onnx,tensorflow]'
	touch $@

$(VENV)/.ready-to-develop: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade 'pip>=25'
	$(PIP) install --quiet --constraint constraints.txt --editable '.[all,dev]'
	touch $@ $(VENV)/.ready-to-run

clean:
	rm -rf $(VENV) build dist site chroma-demo fuzz-found
