"""A mule that tags its own work, for good.

SPDX-License-Identifier: MIT
"""

import cloudprofiler
import tagged

while True:
    tagged.work("none")
    with cloudprofiler.tag(part="mule"):
        tagged.work("mule")
    assert not cloudprofiler.set_tag("part", "wrong")  # it serves no request
