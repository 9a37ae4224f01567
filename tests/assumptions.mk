# `make assumptions`: what the project relies on in other software, shown without the project.

.PHONY: assumptions
assumptions: ## Show that kernel, CPython, uWSGI and libraries do what the code relies on (needs PyPI).
	@failed=0; for script in $(sort $(wildcard tests/assumptions/*.sh tests/assumptions/*.py)); do \
		$$script || failed=1; \
	done; exit $$failed
