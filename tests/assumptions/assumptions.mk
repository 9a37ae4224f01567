# `make assumptions`: outside behaviour that this project builds on and that nobody promises. Each
# script shows it without a line of the product and fails when it has changed. It prints one line
# and ends with 0, or with 77 where it cannot be asked.

.PHONY: assumptions
assumptions: ## Check the behaviour of kernels and libraries that the product builds on.
	@failed=0; for script in $(sort $(wildcard tests/assumptions/*.sh tests/assumptions/*.py)); do \
		printf '%s: ' "$$script"; "$$script" || [ $$? -eq 77 ] || { echo FAILED; failed=1; }; \
	done; exit $$failed
