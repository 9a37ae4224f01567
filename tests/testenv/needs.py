"""What some tests need that not every machine has, in the words that a skipped test is shown with.

SPDX-License-Identifier: MIT
"""

ROOT = "needs root"
NAMESPACES = "needs root with the right to mount; a container needs --privileged for that"
PERF_EVENTS = "needs a kernel that allows perf events: see Exactness in README.md"
SEPARATE_PYTHON = "needs a uWSGI whose Python is a plugin of its own, as Debian's"
