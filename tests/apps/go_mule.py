"""A mule that burns CPU in goroutines, for good.

SPDX-License-Identifier: MIT
"""

import os

os.environ["GO_LOADED"] = "mule"

import go_library

go_library.burn_for_ever()
