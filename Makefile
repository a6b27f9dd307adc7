# Two commands do all the set-up: `make run` and `make test`.
# Nothing is written outside this folder and the system's temporary folder.
PYTHON ?= python3
PY := .venv/bin/python
STAMP := .venv/.installed
PIP := $(PY) -m pip --disable-pip-version-check --no-cache-dir

.PHONY: run test install check clean browser

run: install
	@./assay up $(if $(ONCE),--once) flows/recipes/demo.toml

test: install browser
	@PYTHONDONTWRITEBYTECODE=1 $(PY) -m pytest $(ARGS)

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Assay needs Python 3.11 or later; $(PYTHON) is older. Cure: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	@test -x $(PY) || $(PYTHON) -m venv .venv
	@echo "installing into .venv (some 2.5 GB, once) ..."
	@$(PIP) install --quiet pip==25.3  # the first that reads dependency groups is 25.1
	@$(PIP) install --quiet --constraint constraints.txt --group run --group test
	@touch $@

# Pages are tested in a real browser. Where there is none and this user may install one, it is installed; else those tests say so.
browser:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || test ! -x /usr/bin/apt-get || test "$$(id -u)" != 0 \
	  || { apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium; } >/dev/null \
	  || echo "no Chromium could be installed: the tests that look at pages will be skipped"

check: install
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

clean:
	rm -rf .assay .venv
