# Everything runs in .venv, made with the stock venv and pip.  A stamp per set of extras, as new as pyproject.toml,
# says what is installed there, so that a second run starts at once.

PYTHON ?= python3
PY := .venv/bin/python
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: help demo test test-oracle test-browser lint docs docs-gallery bench clean
.NOTPARALLEL:

help:
	@echo "make demo         the tour: circuits, gradient checks, digits, moons, the spiral; a page in demo-out/"
	@echo "make test         all tests that need only Python and pip"
	@echo "make test-oracle  the tests against PyTorch (installs torch, CPU is enough); all of its samples: ARGS='-m oracle'"
	@echo "make test-browser  the tests of the explorer page and of drawings in the system's Chromium"
	@echo "make lint         ruff and mypy --strict"
	@echo "make docs         the documentation, into docs/_build/html/index.html"
	@echo "make docs-gallery  the pictures of docs/gallery.md and of the README, drawn again"
	@echo "make bench        times against micrograd and others"
	@echo "make clean        remove .venv and what was built"

demo: .venv/all.stamp
	$(PY) -m minigrad demo $(ARGS)

test: .venv/test.stamp
	@echo "The tests against PyTorch (make test-oracle) and those in a browser are skipped."
	$(PY) -m pytest -m "not oracle and not browser and not slow" $(ARGS)

test-oracle: .venv/oracle.stamp
	$(PY) -m pytest -m "oracle and not slow" $(ARGS)

# Without Chromium these are skipped and say so; with CI=true they fail.
test-browser: .venv/browser.stamp
	$(PY) -m pytest -m browser -rs tests/browser $(ARGS)

lint: .venv/lint.stamp
	$(PY) -m ruff check .
	$(PY) -m mypy

# Every page anew, its code cells run; a warning is an error, and so is a link that leads nowhere.
docs: .venv/docs.stamp
	$(PY) -m sphinx -q -E -a -W --keep-going -d docs/_build/doctrees docs docs/_build/html
	$(PY) docs/check_site.py docs/_build/html
	@echo "Open docs/_build/html/index.html"

docs-gallery: .venv/docs.stamp
	$(PY) docs/gallery.py

bench: .venv/bench.stamp
	$(PY) -m benchmarks $(ARGS)

clean:
	rm -rf .venv dist build demo-out docs/_build

# An interrupted or foreign .venv has no working pip: make it anew.
.venv/pip.stamp:
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@touch $@

# `.venv/test.stamp` installs the package with the extra `test`, and so on.
.venv/%.stamp: pyproject.toml .venv/pip.stamp
	$(PY) -m pip install --quiet --disable-pip-version-check --editable ".[$*]"
	@touch $@

.venv/oracle.stamp: .venv/test.stamp
	$(PY) -m pip install --quiet --disable-pip-version-check torch==2.13.0 expecttest
	@touch $@
