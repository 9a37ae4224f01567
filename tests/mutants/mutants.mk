# `make mutants`: plants faults in a copy of the sources; the tests that guard against them must
# fail. MUTANTS picks some by their names, as `python3 tests/mutants/run.py --list` prints them.

MUTANTS ?=

.PHONY: mutants
mutants: deps-test ## Plant faults in a copy; each must fail the test that guards against it (MUTANTS).
	@$(MAKE) --no-print-directory build
	@$(ON_THIS_BUILD) $(PYTHON) tests/mutants/run.py $(MUTANTS)
