# make app   make a virtual environment, install, open the app
# make test  the same with the test tools, then every test, browser tests included
# make faults  everything that can go wrong, done on purpose: kills, full disks, hostile files (half an hour)
PYTHON ?= python3
BIN := .venv/bin
TEST_TOOLS := "pytest>=8" "pytest-xdist>=3.5" "playwright>=1.48" "axe-playwright-python>=0.1.4" "ruff>=0.9"
TEST_TOOLS += "nbclient>=0.10" "ipykernel>=6.29"  # notebooks are executed

.PHONY: app test faults format clean

app: .venv/installed
	$(BIN)/python -m streamlit run app.py

test: .venv/test-tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n 2

faults: .venv/test-tools
	$(BIN)/python -m pytest tests/faults --whole -n 2

format: .venv/test-tools
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/installed: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

# Playwright's own Chromium is fetched only where the system has none.
.venv/test-tools: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TEST_TOOLS)
	command -v chromium-headless-shell || command -v chromium || $(BIN)/python -m playwright install chromium
	touch $@

clean:
	rm -rf .venv
