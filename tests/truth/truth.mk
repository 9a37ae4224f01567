# `make truth`. TRUTH_SAMPLES is how many samples each case must reach; TRUTH_CASES picks some of
# them by their names, as `python3 tests/truth/run.py --help` lists them.

TRUTH_SAMPLES ?= 10000
TRUTH_CASES   ?=

.PHONY: truth
truth: deps-test ## Profile apps whose profile is known and compare (TRUTH_SAMPLES, TRUTH_CASES).
	@$(MAKE) --no-print-directory build
	@$(ON_THIS_BUILD) $(PYTHON) tests/truth/run.py --samples $(TRUTH_SAMPLES) $(TRUTH_CASES)
