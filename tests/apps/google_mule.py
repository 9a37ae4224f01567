"""A mule that starts what it takes for Google's agent, as the app does (examples/google/app.py).

SPDX-License-Identifier: MIT
"""

import app

app.start_profiler()
while True:
    app.digest(20000)
