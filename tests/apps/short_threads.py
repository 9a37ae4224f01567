"""An app half of whose CPU time is spent in threads that live for a millisecond.

    /mix    spins in spin_main, then as long in twenty threads, one after the other

SPDX-License-Identifier: MIT
"""

import threading

import burn

MAIN_MS = 20
THREADS = 20


def spin_main():
    burn.spin(MAIN_MS * burn.LOOPS_PER_MS)


def spin_short():
    burn.spin(MAIN_MS * burn.LOOPS_PER_MS // THREADS)


def application(environ, start_response):
    spin_main()
    for _ in range(THREADS):
        thread = threading.Thread(target=spin_short)
        thread.start()
        thread.join()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]
