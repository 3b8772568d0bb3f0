# The only commands anyone needs. Each makes its own .venv on first use: `make grade` one with what grading needs; tests
# and checks add what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLASS ?= examples/class
RUN ?= runs/class
JOBS ?= 2

.PHONY: grade test test-netem check audit audit-short bench course images release clean

grade: $(VENV)/ready  ## grade the sample class (CLASS=folder RUN=folder for another; TRUST=1: without Docker, too)
	@$(BIN)/grader run $(CLASS) --out $(RUN) $(if $(TRUST),--trust-submissions)

test: $(VENV)/ready-dev  ## our own tests, JOBS files side by side; REQUIRE=docker,tun makes a missing capability a failure
	@$(BIN)/python -m pytest tests -m "not audit" -n $(JOBS) --dist loadfile --durations=10

test-netem: $(VENV)/ready-dev  ## our own tests against the netem of a real kernel, booted for it (docker/guest; root)
	@docker/guest/boot-docker env REQUIRE=docker,netem $(BIN)/python -m pytest tests -m netem --color=no

check: $(VENV)/ready-dev  ## types, style, layers, freshness of assignments/
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy harness grader
	@$(BIN)/lint-imports
	@$(BIN)/grader release --check

audit: $(VENV)/ready-dev  ## how often is a verdict wrong? AUDIT="mutants --minutes 10" is a part of it; then the long tests
	@$(BIN)/grader audit $(AUDIT)
	@$(BIN)/python -m pytest tests -m audit --durations=10

audit-short: $(VENV)/ready-dev  ## ten minutes of it, as a CI does: fails where a verdict is wrong
	@$(BIN)/grader audit mutants alternates repetition --lab local --sample 0 --rounds 1 --minutes 10 --out runs/audit-short

course: $(VENV)/ready  ## bring nbgrader, for a term with a gradebook: about 300 MB more, JupyterLab among it
	@sh docker/venv.sh $(PYTHON) $(VENV) course
	@echo "nbgrader is there; $(VENV) now holds $$(du -sm $(VENV) | cut -f1) MB"

bench: $(VENV)/ready-dev  ## what is fast, against peers, in one run
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[bench,course]'
	@for script in bench/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

images: $(VENV)/ready  ## build the Docker images now instead of at the first grading
	@$(BIN)/grader images

release: $(VENV)/ready  ## make assignments/ from reference/ again
	@$(BIN)/grader release

clean:
	rm -rf $(VENV) runs build

$(VENV)/ready: pyproject.toml docker/venv.sh
	@sh docker/venv.sh $(PYTHON) $(VENV)

$(VENV)/ready-dev: $(VENV)/ready
	@sh docker/venv.sh $(PYTHON) $(VENV) dev
