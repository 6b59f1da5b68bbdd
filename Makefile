# Everything a person does with a checkout. `make help` lists it; on Windows see docs/install.md.
.POSIX:
.SUFFIXES:

BIN = .venv/bin
SETUP = BACKEND="$(BACKEND)" PYTHON="$(PYTHON)" sh packaging/setup.sh
OFFSCREEN = QT_QPA_PLATFORM=offscreen
ARGS =

.PHONY: help run setup test test-core check translations format screenshots bench campaign campaign-vulkan lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{ printf "  make %-16s %s\n", $$1, $$2 }'
	@echo
	@echo "  BACKEND=cpu|cuda|vulkan|metal chooses what the engine is built for; by default it is found out."
	@echo "  PYTHON=/path/to/python3 names the Python to use (3.11 or newer). ARGS=... goes to the program."

run: ## set up what is missing and open the window
	@$(SETUP) --for run
	@$(BIN)/python -m desktop $(ARGS)

setup: ## only set up, with the tools for tests
	@$(SETUP) --for test

test: setup ## set up what is missing and run all tests
	@$(OFFSCREEN) $(BIN)/python -m pytest $(ARGS)

test-core: ## run tests/unit in an environment that has no Qt
	@$(SETUP) --for test --without-qt --venv .venv-noqt
	@.venv-noqt/bin/python packaging/assert_no_qt.py
	@.venv-noqt/bin/python -m pytest tests/unit $(ARGS)

check: setup ## lint, types, import rules, catalog, translations, documents
	@$(BIN)/python packaging/run_checks.py

translations: setup ## collect the marked texts into resources/translations
	@$(BIN)/python packaging/check_translations.py --update

format: setup ## sort imports and format the code
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

screenshots: setup ## make the screenshots for the documents, light, dark and Chinese
	@$(OFFSCREEN) $(BIN)/python -m tests.screenshots $(ARGS)
	@$(OFFSCREEN) $(BIN)/python -m tests.screenshots.real

bench: setup ## measure speed and memory, printed as ratios of one run
	@$(OFFSCREEN) $(BIN)/python -m benchmarks

campaign: setup ## the long runs: kills, faults, endurance (tests/faults), 600 real loads
	@$(OFFSCREEN) $(BIN)/python -m pytest tests/faults tests/unit/fit/test_exact_grid.py --campaign $(ARGS)

campaign-vulkan: ## the dry run on a GPU backend, a Vulkan driver in software (docs/fit.md)
	@BACKEND=vulkan PYTHON="$(PYTHON)" sh packaging/setup.sh --for test --without-qt --venv .venv-vulkan
	@.venv-vulkan/bin/python -m pytest tests/campaign --campaign $(ARGS)

lock: setup ## renew the lock files in requirements/ from pyproject.toml
	@$(BIN)/python packaging/lock_requirements.py

clean: ## remove the environments and all caches of the checkout (the built engine stays in your cache)
	@rm -rf .venv .venv-noqt .venv-vulkan .venv.lock .venv-noqt.lock .venv-vulkan.lock build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
