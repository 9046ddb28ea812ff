"""A stand-in for rsyslog: writes down what comes by UDP to port 514 of this machine, each datagram a line.

HAProxy writes to a pipe or a file only what it can at once, and drops a line when two of its threads have one.

    log_keeper.py FILE
"""

from __future__ import annotations

import socket
import sys

SO_RCVBUFFORCE = 33  # which the module socket does not name
ROOM = 1 << 24  # bytes of lines that may wait

if __name__ == "__main__":
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as lines, open(sys.argv[1], "ab", buffering=0) as file:
        lines.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
        lines.bind(("127.0.0.1", 514))
        while True:
            file.write(lines.recv(65536).rstrip(b"\n") + b"\n")
