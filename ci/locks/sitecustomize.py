"""Notes in which order the threads of a process take the locks of fastwsgi, for ci/lock_order.py.

Each Python process that has this folder in PYTHONPATH imports it as it starts. The locks are those that the package
makes itself, known by the lines that make them; in the pure build the guards of loops are among them. What a process
has noted goes to a file of its own, in the folder that LOCK_ORDER names.
"""

from __future__ import annotations

import _thread
import json
import os
import sys
import traceback
import weakref
from contextlib import suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

FOLDER = os.environ.get("LOCK_ORDER", "")
DEPTH = 12  # frames
held: dict[int, list[weakref.ref[Any]]] = {}  # locks that each thread has, by its identifier
noted: set[tuple[str, ...]] = set()


def note(kind: str, *sites: str) -> None:
    """Note once what has happened to the locks that were made at *sites*, and where."""
    if (kind, *sites) in noted:
        return
    frames = [frame for frame in traceback.extract_stack() if frame.filename != __file__][-DEPTH:]
    stack = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    with suppress(OSError), open(os.path.join(FOLDER, str(os.getpid())), "a") as file:  # no descriptor: the next time
        file.write(json.dumps({"kind": kind, "sites": sites, "stack": stack}) + "\n")
        noted.add((kind, *sites))


class Noted:
    """What the locks have in common."""

    def __init__(self) -> None:
        frame = sys._getframe()
        while frame.f_code.co_filename == __file__ and frame.f_back is not None:
            frame = frame.f_back
        self.site = f"{frame.f_code.co_filename}:{frame.f_lineno}"

    def before(self, waits: bool) -> list[weakref.ref[Any]]:
        """Note the order, if this thread *waits* for the lock; the locks that it has."""
        ours = held.setdefault(_thread.get_ident(), [])
        others = [other for one in ours if (other := one()) is not None]
        if waits and self not in others:
            for other in others:
                note("order", other.site, self.site)
        return ours

    def after(self) -> None:
        """Note that it is let go, by the thread that has it, or by another: then it tells that one something."""
        ident = _thread.get_ident()
        for thread in (ident, *(one for one in list(held) if one != ident)):
            places = [place for place, one in enumerate(held.get(thread, [])) if one() is self]
            if places:
                if thread != ident:
                    note("signal", self.site)
                del held[thread][places[-1]]
                return


class Lock(Noted):
    """For threading.Lock, which cannot be inherited from."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = _thread.allocate_lock()
        self.locked = self.lock.locked

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        ours = self.before(blocking and timeout < 0)
        taken = self.lock.acquire(blocking, timeout)
        if taken:
            ours.append(weakref.ref(self))
        return taken

    def release(self) -> None:
        self.after()
        self.lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class RLock(Noted, _thread.RLock):  # type: ignore[misc]  # it is not final
    """For threading.RLock; the order counts when it is taken for the first time."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        ours = self.before(blocking and timeout < 0)
        taken = super().acquire(blocking, timeout)
        if taken:
            ours.append(weakref.ref(self))
        return taken

    def release(self) -> None:
        self.after()
        super().release()

    def __enter__(self) -> bool:  # type: ignore[override]  # it has no arguments there either
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Replacing(Loader):
    """Loads the module from which the package has its locks, and replaces them there."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self.loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        vars(module)["threading"].Lock = Lock
        vars(module)["threading"].RLock = RLock

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)


class Finder(MetaPathFinder):
    """Finds that module."""

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "fastwsgi.originals":
            return None
        others = (other for other in sys.meta_path if other is not self)
        spec = next((spec for other in others if (spec := other.find_spec(name, path, target)) is not None), None)
        if spec is not None:
            spec.loader = Replacing(spec.loader)
        return spec


if FOLDER:
    sys.meta_path.insert(0, Finder())
    os.register_at_fork(after_in_child=held.clear)  # a forked child begins with other locks
