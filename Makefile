# Two commands do everything on a fresh machine: `make book` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install book test test-portable campaign check format paper bench serve references screenshots clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 23

install: $(STAMP)  ## install everything into .venv

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[book,test,check,cluster]'
	@touch $@

book: $(STAMP)  ## execute the notebooks that changed, build the book, print where to open it
	@$(BIN)/geolib book

test: $(STAMP)  ## unit tests, the notebooks' regression tests, the book's checks
	$(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder $(ARGS)

test-portable: $(STAMP)  ## the numeric tests and the notebooks with the arithmetic of other machines (an hour)
	$(BIN)/python -m tests.portable $(ARGS)

campaign: $(STAMP)  ## try a thousand wrong or damaged inputs, small valid ones, and kills at random moments
	$(BIN)/python -m tests.campaign --count 1000
	$(BIN)/python -m tests.small --count 3
	$(BIN)/python -m tests.kills --count 50

check: $(STAMP)  ## ruff, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)  ## put the code into the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

paper: $(STAMP)  ## complete the paper-scale runs, resuming what is there (days on two cores), and ship them
	names=$$($(BIN)/python -c 'from geolib import studies; print(*studies.NAMES, *studies.COMPANIONS)') || exit 1; \
	for study in $$names; do \
	  $(BIN)/geolib publish $$study --preset paper || exit 1; done

bench: $(STAMP)  ## measure speed side by side with the alternatives (wants a quiet machine)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	for script in bench/*.py; do $(BIN)/python $$script || exit 1; done

serve: book  ## build the book and serve it on http://localhost:8000
	$(BIN)/python -m http.server 8000 --bind localhost --directory _build/html

references: $(STAMP)  ## execute the committed notebooks in place: the outputs that `make test` compares with
	$(BIN)/python -m tests.references

screenshots: book  ## pictures and prints of every page into _build/screenshots (minutes)
	mkdir -p _build/screenshots
	GEOLIB_SCREENSHOTS=$(CURDIR)/_build/screenshots $(BIN)/python -m pytest -q tests/book/test_browser.py -k shows_cleanly $(ARGS)

clean:  ## remove what was built and compiled; runs, reruns and .venv stay
	rm -rf _build book/_generated book/papers .build
	find geolib -name '*.nb[ic]' -delete
