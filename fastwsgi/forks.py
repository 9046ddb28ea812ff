"""Forks of this process by the application: the child has nothing of the server's, and the parent notices nothing.

What a child must not have is known to its owner: a loop that runs, the supervisor, a worker, an access log. Each is
held here, and asked in the child to disown what belongs to the parent: to close it, without a word to anybody. Signals
that the server handles have their former handlers in the child. A child that leaves the application ends: see
leaving.py.

Only fork() by way of Python calls these functions. A fork in C has to execute another program, or to end.
"""

from __future__ import annotations

import traceback
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable, Protocol

from fastwsgi.originals import os, signal, threading

Handler = Callable[[int, Any], object]


class Owner(Protocol):
    """Has something that a forked child must not have."""

    def disown(self) -> None:
        """In the child, close what is the parent's. Locks that another thread may have held must not be taken."""


# These are never changed but replaced. Without a GIL each set or dict has a lock, and if several threads want it, one
# that the child does not have may hold it there for ever
_owners: tuple[weakref.ref[Owner], ...] = ()
_spared: tuple[tuple[int, Owner], ...] = ()  # by the thread that forks a process of the owner's
_masks: tuple[tuple[int, set[Any]], ...] = ()  # of the threads that fork now
_lock = threading.RLock()  # for who replaces them; a handler of a signal may
_handled: dict[int, tuple[Handler, Any]] = {}  # by signal: the server's handler, and the one before it


def hold(owner: Owner) -> None:
    """Have *owner* asked to disown what it has, in each child that is forked from now on."""
    global _owners
    with _lock:
        _owners = (*_others(owner), weakref.ref(owner))


def release(owner: Owner) -> None:
    """No longer ask *owner*."""
    global _owners
    with _lock:
        _owners = tuple(_others(owner))


def _others(owner: Owner) -> list[weakref.ref[Owner]]:
    """Those that still exist."""
    return [one for one in _owners if (held := one()) is not None and held is not owner]


@contextmanager
def sparing(owner: Owner) -> Iterator[None]:
    """Do not ask *owner* in a child that this thread forks inside the block: it is the owner's own."""
    global _spared
    thread = threading.get_ident()
    with _lock:
        _spared = (*_others_of(thread, _spared), (thread, owner))
    try:
        yield
    finally:
        with _lock:
            _spared = _others_of(thread, _spared)


def _others_of(thread: int, pairs: tuple[tuple[int, Any], ...]) -> tuple[tuple[int, Any], ...]:
    return tuple(pair for pair in pairs if pair[0] != thread)


def _of(thread: int, pairs: tuple[tuple[int, Any], ...]) -> Any:
    return next((one for number, one in pairs if number == thread), None)


# Signals


def handle(number: int, handler: Handler) -> None:
    """Have *handler* called for the signal *number*, in this process and not in its children; in the main thread."""
    before = signal.signal(number, handler)
    _handled[number] = handler, _handled[number][1] if number in _handled else before


def give_back(number: int) -> None:
    """Set the handler that the signal *number* had before handle()."""
    _, before = _handled.pop(number, (None, None))
    signal.signal(number, signal.SIG_DFL if before is None else before)


# The hook


def _before() -> None:
    """Block our signals: the child would forget those that arrive before the hook, or note them for the parent."""
    global _masks
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, set(_handled))
    thread = threading.get_ident()
    with _lock:
        _masks = (*_others_of(thread, _masks), (thread, mask))


def _unblock() -> None:
    global _masks
    thread = threading.get_ident()
    mask = _of(thread, _masks)
    with _lock:
        _masks = _others_of(thread, _masks)
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _in_child() -> None:
    global _lock, _owners, _spared, _masks
    thread = threading.get_ident()
    spared, mask = _of(thread, _spared), _of(thread, _masks)
    owners = [owner for one in _owners if (owner := one()) is not None]
    _lock = threading.RLock()
    _owners = tuple(weakref.ref(owner) for owner in owners if owner is spared)
    _spared = () if spared is None else ((thread, spared),)
    _masks = () if mask is None else ((thread, mask),)
    for owner in owners:
        if owner is not spared:
            try:
                owner.disown()
            except Exception:
                traceback.print_exc()
    for number, (handler, _) in list(_handled.items()):
        if signal.getsignal(number) == handler:  # else the application has set one of its own
            give_back(number)
    _handled.clear()
    _unblock()


os.register_at_fork(before=_before, after_in_parent=_unblock, after_in_child=_in_child)
