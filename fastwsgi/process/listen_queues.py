"""What waits at listeners for accept, by the word of the kernel: for TCP by TCP_INFO, for unix sockets by sock_diag(7).

Both are Linux's. Where they cannot be had, nothing waits as far as is known.
"""

from __future__ import annotations

import struct
import sys

from fastwsgi.originals import os, socket
from fastwsgi.process.sockets import Binding
from fastwsgi.server.addresses import spell_address
from fastwsgi.status.snapshot import ListenQueue

# The fields tcpi_unacked and tcpi_sacked of tcp_info, which are the length and the limit of a listener's queue
TCP_FIELDS = struct.Struct("=24x2I")
# linux/sock_diag.h, linux/unix_diag.h, linux/netlink.h
NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
UDIAG_SHOW_RQLEN = 0x10
UNIX_DIAG_RQLEN = 4
NLM_F_REQUEST = 1
ANY_COOKIE = 2**32 - 1
HEADER = struct.Struct("=IHHII")  # nlmsghdr
REQUEST = struct.Struct("=BBHIIIII")  # unix_diag_req
REPLY = struct.Struct("=BBBBIII")  # unix_diag_msg
ATTRIBUTE = struct.Struct("=HH")
PATIENCE = 0.1  # seconds, for an answer that the kernel gives at once


def queues(bindings: list[Binding]) -> list[ListenQueue]:
    """The queue of each of the *bindings*, whose sockets count together."""
    found = []
    for binding in bindings:
        lengths = [_queue(listener) for listener in binding.sockets]
        if lengths:
            address = spell_address(binding.sockets[0]).partition("://")
            waiting, limit = (sum(one[index] for one in lengths) for index in (0, 1))
            found.append(ListenQueue(address[2] or address[0], waiting, limit))
    return found


def _queue(listener: socket.socket) -> tuple[int, int]:
    """How many connections wait, and how many may; zeros if that is not known."""
    if sys.platform != "linux":
        return 0, 0
    try:
        if listener.family == socket.AF_UNIX:
            return _unix_queue(os.fstat(listener.fileno()).st_ino)
        waiting, limit = TCP_FIELDS.unpack(listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_FIELDS.size))
        return waiting, limit
    except (OSError, struct.error):
        return 0, 0


def _unix_queue(inode: int) -> tuple[int, int]:
    """The queue of the unix socket with that inode. Raises OSError or struct.error."""
    if sys.platform != "linux":
        return 0, 0
    body = REQUEST.pack(socket.AF_UNIX, 0, 0, 0, inode, UDIAG_SHOW_RQLEN, ANY_COOKIE, ANY_COOKIE)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(PATIENCE)
        kernel.send(HEADER.pack(HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 0, 0) + body)
        reply = kernel.recv(4096)
    _, kind, _, _, _ = HEADER.unpack_from(reply)
    at = HEADER.size + REPLY.size
    while kind == SOCK_DIAG_BY_FAMILY and at + ATTRIBUTE.size <= len(reply):
        size, name = ATTRIBUTE.unpack_from(reply, at)
        if name == UNIX_DIAG_RQLEN:
            waiting, limit = struct.unpack_from("=II", reply, at + ATTRIBUTE.size)
            return waiting, limit
        at += max(ATTRIBUTE.size, size + 3 & ~3)
    return 0, 0
