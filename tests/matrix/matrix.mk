# `make matrix`. PYTHONS and NEWEST reach matrix.py by the environment.

export PYTHONS NEWEST

.PHONY: matrix
matrix: deps-test ## Build and test on every CPython found (PYTHONS="..." or NEWEST=1).
	@$(PYTHON) tests/matrix/matrix.py
