# Each target is a thin line over a real tool; `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: help demo lab test check format build docs clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

demo:  ## set up, then train a real small model in a notebook (a few minutes on 2 CPU cores)
	@$(PYTHON) .ci/setup.py demo
	@$(BIN)/python example_notebooks/run.py example_notebooks/01_quickstart.ipynb --out build/demo

lab:  ## open the example notebooks in JupyterLab
	@$(PYTHON) .ci/setup.py demo
	@$(BIN)/jupyter lab $(AS_ROOT) example_notebooks

test:  ## set up, then run every test, the browser's included
	@$(PYTHON) .ci/setup.py dev
	@cd labextension && ../$(BIN)/jlpm test
	@$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder

check:  ## format, lint, types, import contract, of Python and TypeScript
	@$(PYTHON) .ci/setup.py dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	cd labextension && ../$(BIN)/jlpm lint

format:  ## rewrite the code in the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

build:  ## wheel and sdist in dist/
	@$(PYTHON) .ci/setup.py dev
	$(BIN)/python -m build

docs:  ## the documentation as a site in site/
	@$(PYTHON) .ci/setup.py dev
	$(BIN)/mkdocs build --strict --config-file mkdocs.yml

clean:  ## remove what the other targets made
	rm -rf .venv build dist site ft_jupyter/static ft_jupyter/labextension labextension/node_modules labextension/lib
