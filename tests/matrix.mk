# `make matrix`. PYTHONS and NEWEST reach tools/matrix by the environment.

export PYTHONS NEWEST

.PHONY: matrix
matrix: deps-test ## Build and test on every CPython found (PYTHONS="..." or NEWEST=1).
	@tools/matrix
