#!/usr/bin/env python3
"""What uWSGI executes in a worker's place (worker-exec): answers each request on descriptor 0
with its pid.

SPDX-License-Identifier: MIT
"""

import os
import socket

ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s"

if __name__ == "__main__":
    body = str(os.getpid()).encode()
    listener = socket.socket(fileno=0)
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(ANSWER % (len(body), body))
