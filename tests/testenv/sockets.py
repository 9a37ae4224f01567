"""What servers of tests do with sockets.

SPDX-License-Identifier: MIT
"""

import select
import socket
import struct


def relay(near, far):
    """Passes on what comes from either, until one side ends."""
    while True:
        for ready in select.select([near, far], [], [])[0]:
            data = ready.recv(65536)
            if not data:
                return
            (far if ready is near else near).sendall(data)


def reset_on_close(connection):
    """Its end will be a TCP reset, and what was not sent by then is thrown away."""
    linger_no_time = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_no_time)
