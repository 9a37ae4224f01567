"""The shop of examples/flask with three more pages: two that wait, for a lock and for a socket, and
one whose time goes into a C library."""

import os
import socket
import threading
import time
import zlib

from app import CATALOGUE, app
from flask import Response

PRINTER_SECONDS = 0.03
PRICE_LISTS = 60

invoice_book = threading.Lock()


@app.get("/checkout")
def checkout():
    """Invoices have numbers without gaps: one at a time in each process."""
    with invoice_book:
        print_invoice()
    return "thank you\n"


def print_invoice():
    time.sleep(PRINTER_SECONDS)


@app.get("/stock")
def stock():
    return ask_warehouse()


def ask_warehouse():
    """Another service, which takes its time to answer."""
    with socket.create_connection(("127.0.0.1", int(os.environ["WAREHOUSE_PORT"]))) as warehouse:
        return warehouse.recv(100).decode()


@app.get("/export")
def export():
    lines = [f"{product.number},{product.name},{product.price_cents}" for product in CATALOGUE]
    return Response(compress("\n".join(lines * PRICE_LISTS)), mimetype="application/zlib")


def compress(text):
    return zlib.compress(text.encode(), 6)
