"""The listening sockets as hooks see them: `server.LISTENERS` and `worker.sockets`."""

from __future__ import annotations

import struct
from typing import Any

from fastwsgi.originals import os, socket
from fastwsgi.server.addresses import spell_address

TCP_INFO_HEAD = struct.Struct("8B24I")  # struct tcp_info of linux/tcp.h
UNACKED = 12  # its field that has, for a listening socket, the connections that wait for accept


class ListenerView:
    """One listening socket, with all its methods.

    Attributes:
        sock: the socket.
        cfg_addr: the host and port that it has, or the path of a unix socket.

    Args:
        sock: the socket.
        scheme: of its URL.
    """

    def __init__(self, sock: socket.socket, scheme: str) -> None:
        self.sock = sock
        self._scheme = scheme

    def __getattr__(self, name: str) -> Any:
        """An attribute of the socket."""
        if name == "sock":
            raise AttributeError(name)
        return getattr(self.sock, name)

    def __str__(self) -> str:
        return spell_address(self.sock, self._scheme)

    @property
    def cfg_addr(self) -> tuple[str, int] | str:
        """Where it listens: a host and a port, or a path."""
        name = self.sock.getsockname()
        return name[:2] if isinstance(name, tuple) else os.fsdecode(name)

    @property
    def FAMILY(self) -> int:
        """The socket's family."""
        return self.sock.family

    def get_backlog(self) -> int:
        """The number of connections that wait for accept; -1 where the system does not tell."""
        if self.sock.family == socket.AF_UNIX or not hasattr(socket, "TCP_INFO"):
            return -1
        info = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_HEAD.size)
        return int(TCP_INFO_HEAD.unpack(info)[UNACKED])
