"""A busy program under the official Python agent. The environment says where everything is.

SPDX-License-Identifier: MIT
"""

import os
import time

import googlecloudprofiler


def spin():
    until = time.monotonic() + 0.05
    while time.monotonic() < until:
        sum(range(100))


googlecloudprofiler.start(
    service="shop",
    service_version="1.0",
    verbose=3,
    service_account_json_file=os.environ["STANDIN_KEY"],
    discovery_service_url=os.environ["STANDIN_DISCOVERY"],
)
while True:
    spin()
    time.sleep(0.01)
