"""What runs at the end of a worker: the application's exit functions, and not those of the process that forked it.

A worker inherits everything that was registered before the fork, such as the removal of the supervisor's temporary
files. So its list begins anew, with what the application registered while it was loaded before the fork (--preload).

Under a command, as `fastwsgi` is one, it begins with what was there before the command did, too. That was registered as
the interpreter started, by agents (opentelemetry-instrument, ddtrace-run, newrelic-admin), to send what they still
have; and each worker has some of it.
"""

from __future__ import annotations

import atexit
import logging
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Callable

_noted: list[Callable[..., object]] | None = None  # registered since a command began; None in any other program
_register, _unregister = atexit.register, atexit.unregister


def begin_command() -> None:
    """Have the workers of this process run what is registered up to now; a front door that is a command begins so."""
    global _noted
    if _noted is None:
        _noted = []
        atexit.register, atexit.unregister = _note, _forget


def _note(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Callable[..., Any]:
    if _noted is not None:
        _noted.append(function)
    return _register(function, *args, **kwargs)


def _forget(function: Callable[..., Any], /) -> None:
    global _noted
    if _noted is not None:
        _noted = [one for one in _noted if one != function]
    _unregister(function)


class ExitFunctions:
    """Those that an application registers while it is loaded, with atexit or by weakref.finalize."""

    def __init__(self) -> None:
        self._registered: list[partial[Any]] = []
        self._finalizers: set[object] = set()

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Note what is registered inside the block, which loads the application."""
        register, unregister = atexit.register, atexit.unregister

        def note(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Callable[..., Any]:
            register(function, *args, **kwargs)
            self._registered.append(partial(function, *args, **kwargs))
            return function

        def forget(function: Callable[..., Any], /) -> None:
            unregister(function)
            self._registered = [one for one in self._registered if one.func != function]

        before = _finalizers()
        atexit.register, atexit.unregister = note, forget
        try:
            yield
        finally:
            atexit.register, atexit.unregister = register, unregister
            self._finalizers = _finalizers() - before

    def begin(self) -> None:
        """Begin the list of a process just forked: what it may keep, then the application's functions."""
        for finalizer in _finalizers() - self._finalizers:
            finalizer.atexit = False
        _disown_children()
        recorded = {one.func for one in self._registered}
        _clear([function for function in _standard() if function not in recorded])
        for one in self._registered:
            atexit.register(one.func, *one.args, **one.keywords)


def _clear(kept: list[Callable[..., object]]) -> None:
    """Have nothing registered but *kept*, functions without arguments, and what was before a command began."""
    global _noted
    if _noted is None:
        atexit._clear()
        for function in kept:
            atexit.register(function)
        return
    atexit.register, atexit.unregister = _register, _unregister
    for function in _noted:
        if function not in kept:
            atexit.unregister(function)
    _noted = None


def _finalizers() -> set[Any]:
    """All that weakref.finalize has still to do."""
    return set(getattr(weakref.finalize, "_registry", ()))


def _standard() -> list[Callable[[], object]]:
    """The exit functions that modules of the standard library registered once, when they were imported or first used.

    That of multiprocessing looks at the process in which a finalizer was made; those of weakref were sorted by begin().
    """
    functions: list[Callable[[], object]] = [logging.shutdown]
    if getattr(weakref.finalize, "_registered_with_atexit", False):
        functions.append(weakref.finalize._exitfunc)  # type: ignore[attr-defined]
    module = sys.modules.get("multiprocessing.util")
    if module is not None:
        functions.append(module._exit_function)
    return functions


def _disown_children() -> None:
    """Have multiprocessing forget the children of the parent, which it would terminate at the end of this process."""
    module = sys.modules.get("multiprocessing.process")
    if module is not None:
        getattr(module, "_children", set()).clear()
