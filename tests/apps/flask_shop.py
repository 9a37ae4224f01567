"""A Flask app, as people write them.

SPDX-License-Identifier: MIT
"""

import json
import os

from flask import Flask

application = Flask(__name__)


@application.get("/pid")
def pid():
    return str(os.getpid())


@application.get("/catalogue")
def catalogue():
    return json.dumps([price(item) for item in range(4000)])


def price(item):
    return {"item": item, "cents": sum(divmod(item * 7919, 97))}
