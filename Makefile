# Two environments, so that reading needs no torch:
#   .venv/book  builds the book       .venv/test  runs the library, the tests and the notebooks
PYTHON ?= python3
PIP_ARGS ?=
TORCH ?= auto
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
NOTEBOOKS ?= $(sort $(wildcard notebooks/*.ipynb))
CELL_TIMEOUT ?= 300

BOOK := .venv/book/bin/python
TEST := .venv/test/bin/python
FLOOR := .venv/floor/bin/python
COLAB := .venv/colab/bin/python
SITE := .venv/site/bin/python
PIP := -m pip install --quiet --disable-pip-version-check

# Tests and timings run where everybody can, and with our seeds. What notebooks need beyond that,
# nbval and make notebooks set themselves: see notebooks/execute.py.
export PIXELAR_DEVICE := cpu
unexport PIXELAR_SEED_OFFSET
# The folder's name may have accents, whatever the locale.
export PYTHONUTF8 := 1
# As many tests at once as there are cores, four at most, each in a process of one thread: on two
# cores half as long as one after the other with two threads.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
PYTEST := -m pytest -n auto --maxprocesses=4
NBVAL := $(PYTEST) --dist loadscope --nbval --nbval-current-env --nbval-cell-timeout=$(CELL_TIMEOUT)

.PHONY: help bench book test test-variants test-floor test-colab test-site notebooks lint lint-js format repository release zip clean
.DEFAULT_GOAL := help

help:
	@echo "make book            build the book from the stored outputs: _build/html/index.html"
	@echo "make zip             the same as one file that works from disk: _build/generating-pixels.zip"
	@echo "make test            unit tests, then every notebook again, compared with its stored outputs"
	@echo "                     (SLOW=1 adds the slow unit tests and measures the coverage)"
	@echo "make test-variants   the notebooks under two threads, AVX2 kernels and another seed"
	@echo "                     (VARIANT=threads|avx2|seed for one, NOTEBOOKS=\"notebooks/...\" for some)"
	@echo "make test-floor      both with the oldest versions that pyproject.toml allows"
	@echo "                     (they need PYTHON=python3.11 or 3.12)"
	@echo "make test-colab      the notebooks as Colab runs them: an empty folder, its packages, the library from git"
	@echo "                     (NOTEBOOKS=\"notebooks/...\" for some)"
	@echo "make test-site       the built book in a browser: links, phones, keyboard, accessibility, speed"
	@echo "                     (it needs Chromium and npm; SITE_TESTS=\"-k search\" for some)"
	@echo "make notebooks       execute the notebooks in place (NOTEBOOKS=\"...\" for some, ALL=1 with images)"
	@echo "make bench           time the post's algorithm and the library side by side: a table and a record;"
	@echo "                     then the Pixel Lab, where node is"
	@echo "                     (about 8 minutes; BENCH=--ship writes the record that the book shows)"
	@echo "make lint            ruff on all code and the notebooks, the syntax of .github/workflows, and,"
	@echo "                     where npm is, eslint on the scripts of the book"
	@echo "make format          fix what lint can fix (then make notebooks, if it touched one)"
	@echo "make repository      write the repository's address into all places: URL=https://github.com/OWNER/NAME"
	@echo "make release         raise the version and the tag in all places (VERSION=1.0.0 for another than the next)"
	@echo "                     (CHANGELOG.md needs an entry for it)"
	@echo "make clean           remove the environments and all that was built"
	@echo "Variables: PYTHON=python3.12 picks an interpreter, PIP_ARGS=\"...\" goes to pip install;"
	@echo "TORCH=cpu takes PyTorch's CPU build, TORCH=default what pip takes. If it is not set, Linux"
	@echo "on x86-64 without an NVIDIA driver gets the CPU build, where its index answers."

JUPYTER_BOOK := $(BOOK) -c "from jupyter_book.cli.main import main; main()" build . -W -n --keep-going --all --quiet

book: .venv/book/installed
	@rm -rf _build/html
	$(JUPYTER_BOOK)
	@echo "The book: $(CURDIR)/_build/html/index.html"

zip: book
	cd _build/html && rm -f ../generating-pixels.zip && ../../$(BOOK) -m zipfile -c ../generating-pixels.zip *
	@echo "The book in one file: $(CURDIR)/_build/generating-pixels.zip"

test: .venv/test/installed
	$(ONE_THREAD) $(TEST) $(PYTEST) tests -rs $(if $(SLOW),-m "slow or not slow" --cov --cov-report=term)
	$(ONE_THREAD) $(TEST) $(NBVAL) notebooks

VARIANT ?= threads avx2 seed
threads := OMP_NUM_THREADS=2 MKL_NUM_THREADS=2 PYTEST_XDIST_AUTO_NUM_WORKERS=1
avx2 := $(ONE_THREAD) ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2
seed := $(ONE_THREAD) PIXELAR_SEED_OFFSET=1

test-variants: $(addprefix variant-,$(VARIANT))

variant-%: .venv/test/installed
	$(if $($*),,$(error VARIANT=$* is unknown; choose from threads, avx2, seed))
	$($*) $(TEST) $(NBVAL) $(NOTEBOOKS)

test-floor: .venv/floor/installed
	$(ONE_THREAD) $(FLOOR) $(PYTEST) tests
	$(ONE_THREAD) $(FLOOR) $(NBVAL) notebooks

test-colab: .venv/colab/installed .venv/test/installed
	$(TEST) notebooks/clean_room.py --python $(COLAB) --timeout $(CELL_TIMEOUT) $(NOTEBOOKS)

# The second build is the book as it looks once its repository has an address.
test-site: book .venv/site/installed
	@rm -rf _build/published
	@sed s/-owner-/owner/ _config.yml >_build/published.yml
	PYTHONPATH=book/_ext $(JUPYTER_BOOK) --config _build/published.yml --path-output _build/published
	$(SITE) $(PYTEST) tests/site $(SITE_TESTS)

notebooks: .venv/test/installed
	$(TEST) notebooks/execute.py --timeout $(CELL_TIMEOUT) $(if $(ALL),--all) $(NOTEBOOKS)

bench: .venv/test/installed
	$(TEST) -m benchmarks $(BENCH)
	@if command -v node >/dev/null; then node benchmarks/lab.js; \
	else echo "node is not installed: the Pixel Lab was not timed."; fi

# Code on a page has room for 76 characters beside the menu, at 1,280 pixels.
SHOWN := --line-length 76 notebooks/*.ipynb notebooks/setup_cell.py

lint: .venv/test/installed
	$(TEST) -m ruff check .
	$(TEST) -m ruff format --check .
	$(TEST) -m ruff format --check $(SHOWN)
	$(TEST) -m check_jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(TEST) -m check_jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(MAKE) --no-print-directory lint-js

# Where npm is missing, that is said, and is no error.
lint-js:
	@if command -v npm >/dev/null; then \
	  $(MAKE) --no-print-directory .venv/npm/installed && \
	  cp tests/site/eslint.config.mjs .venv/npm/ && \
	  .venv/npm/node_modules/.bin/eslint --config .venv/npm/eslint.config.mjs book/_static tests/*.js benchmarks/*.js; \
	else \
	  echo "eslint has not looked at the scripts in book/_static: npm is not installed."; \
	fi

format: .venv/test/installed
	$(TEST) -m ruff check --fix .
	$(TEST) -m ruff format .
	$(TEST) -m ruff format $(SHOWN)

repository: .venv/test/installed
	$(TEST) notebooks/repository.py $(if $(URL),--url "$(URL)")

release: .venv/test/installed
	$(TEST) notebooks/repository.py $(if $(VERSION),--version "$(VERSION)",--bump)

clean:
	rm -rf .venv _build build .pytest_cache .ruff_cache .hypothesis .coverage *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

define check_python
@$(PYTHON) -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))" || { \
  echo "Python 3.11, 3.12 or 3.13 is needed; $(PYTHON) gives: $$($(PYTHON) --version 2>&1)." >&2; \
  echo "Name another interpreter, for example: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
  exit 1; }
endef

# PyTorch comes first and by itself, so that no other package is looked for on its index.
# $(call install_torch,PYTHON,OPTIONS)
define install_torch
@index=$$($(PYTHON) .ci/torch_index.py "$(TORCH)" "$(TORCH_INDEX)") || exit; \
  [ -z "$$index" ] || $(1) $(PIP) $(PIP_ARGS) --index-url "$$index" torch torchvision $(2)
endef

.venv/book/installed: pyproject.toml book/constraints.txt
	$(check_python)
	$(PYTHON) -m venv --clear .venv/book
	$(BOOK) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["book"], sep="\n")' >.venv/book/requirements.txt
	$(BOOK) $(PIP) $(PIP_ARGS) -r .venv/book/requirements.txt -c book/constraints.txt
	touch $@

.venv/test/installed: pyproject.toml
	$(check_python)
	$(PYTHON) -m venv --clear .venv/test
	$(call install_torch,$(TEST))
	$(TEST) $(PIP) $(PIP_ARGS) -e ".[test]"
	touch $@

.venv/floor/installed: pyproject.toml
	$(check_python)
	$(PYTHON) -m venv --clear .venv/floor
	$(FLOOR) -c 'import tomllib; print(*(line.replace(">=", "==") + ".*" for line in tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]), sep="\n")' >.venv/floor/constraints.txt
	$(call install_torch,$(FLOOR),-c .venv/floor/constraints.txt)
	$(FLOOR) $(PIP) $(PIP_ARGS) -e ".[test]" -c .venv/floor/constraints.txt
	touch $@

# From npm come eslint, and for the browser tests axe-core and Lighthouse.
.venv/npm/installed: tests/site/package-lock.json
	mkdir -p .venv/npm
	cp tests/site/package.json tests/site/package-lock.json .venv/npm/
	npm ci --prefix .venv/npm --no-audit --no-fund --silent
	touch $@

# Playwright drives the Chromium that is installed.
.venv/site/installed: pyproject.toml .venv/npm/installed
	$(check_python)
	$(PYTHON) -m venv --clear .venv/site
	$(SITE) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["site"], sep="\n")' >.venv/site/requirements.txt
	$(SITE) $(PIP) $(PIP_ARGS) -r .venv/site/requirements.txt
	touch $@

# What Colab has, as far as the chapters could need it; on its Python, 3.13, where that is here.
COLAB_PYTHON ?= $(or $(shell for version in "" 3.13; do PYENV_VERSION=$$version python3.13 -c \
  "import sys; print(sys.executable)" 2>/dev/null && break; done),$(PYTHON))
.venv/colab/installed: Makefile
	$(check_python)
	$(COLAB_PYTHON) -m venv --clear .venv/colab
	$(call install_torch,$(COLAB))
	$(COLAB) $(PIP) $(PIP_ARGS) torch torchvision numpy matplotlib tqdm safetensors ipywidgets==7.7.1 ipykernel
	touch $@
