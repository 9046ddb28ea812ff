"""Standard modules as they were before somebody replaced parts of them.

gevent and eventlet put other functions into `time`, `select`, `socket`, `os` and `signal`, freezegun into every module
that has imported one of `time`, and applications replace what they like. This package takes these modules from here:
copies that nobody else has, made as soon as the package is imported. What gevent or eventlet had replaced by then, it
has kept, and gives back.

A function that is written in Python still looks into its own module, and makes objects of whatever class is there by
then. So accept() and socketpair() are here, too; they also leave socket.setdefaulttimeout() out of account.
"""

from __future__ import annotations

import _socket
import sys
from importlib import import_module
from types import BuiltinFunctionType, ModuleType
from typing import TYPE_CHECKING, Any

__all__ = [
    "accept",
    "os",
    "select",
    "signal",
    "socket",
    "socketpair",
    "start_new_thread",
    "threading",
    "time",
    "who_replaced_threads",
]


def _kept(name: str) -> dict[str, Any]:
    """What gevent and eventlet have taken out of the module *name*."""
    gevent, eventlet = sys.modules.get("gevent.monkey"), sys.modules.get("eventlet.patcher")
    if gevent is not None and name in gevent.saved:
        return dict(gevent.saved[name])
    if eventlet is not None and eventlet.is_monkey_patched(name):
        return dict(vars(eventlet.original(name)))
    return {}


def _original(name: str) -> ModuleType:
    copy = ModuleType(name)
    vars(copy).update({**vars(import_module(name)), **_kept(name)})
    return copy


if TYPE_CHECKING:
    import os as os
    import select as select
    import signal as signal
    import socket as socket
    import threading as threading
    import time as time
    from _thread import start_new_thread as start_new_thread
else:
    os, select, signal, socket, threading, time = map(
        _original, ("os", "select", "signal", "socket", "threading", "time")
    )
    start_new_thread = _original("_thread").start_new_thread


def accept(listener: socket.socket) -> tuple[int, Any]:
    """The descriptor of the next connection, which does not block, and the client's address. Raises OSError."""
    fd, address = listener._accept()  # type: ignore[attr-defined]  # accept() would make an object of it
    os.set_blocking(fd, False)
    return fd, address


def socketpair() -> tuple[socket.socket, socket.socket]:
    """Two connected unix sockets, which do not block."""
    one, other = (socket.socket(fileno=end.detach()) for end in _socket.socketpair())
    one.setblocking(False)
    other.setblocking(False)
    return one, other


def who_replaced_threads() -> str:
    """The package that has put something else in the place of Python's threads, such as "gevent"; "" if none has."""
    start = import_module("_thread").start_new_thread
    return "" if isinstance(start, BuiltinFunctionType) else str(start.__module__).partition(".")[0]
