"""gunicorn's kinds of workers: what becomes of each here, where there is one kind, with threads.

An asynchronous worker answers many requests at a time, so at least our usual number of threads stands for it; gthread
has threads of its own. Without a word about the kind, a gunicorn.conf.py has one thread, as there.
"""

from __future__ import annotations

from typing import Literal

Kind = Literal["sync", "gthread", "asgi", "async"]
ASGI_WORKERS = ("uvicorn", "asgi", "hypercorn", "daphne")


def name_of(value: object) -> str:
    """The name of a worker class, which may be a class."""
    return f"{value.__module__}.{value.__qualname__}" if isinstance(value, type) else str(value)


def kind_of(value: object) -> Kind:
    """The kind of a worker class, by its name; one that is not known counts as asynchronous."""
    names = [name_of(one).lower() for one in value.__mro__] if isinstance(value, type) else [name_of(value).lower()]
    if any(word in name for name in names for word in ASGI_WORKERS):
        return "asgi"
    for name in names:
        last = name.replace("#", ".").rpartition(".")[2]
        if last in ("sync", "syncworker"):
            return "sync"
        if last in ("gthread", "threadworker"):
            return "gthread"
    return "async"


def threads_for(kind: Kind, asked: int | None, usual: int) -> int | None:
    """The number of threads in place of this kind of worker; None: as if nothing was said about it.

    Args:
        kind: of worker.
        asked: the number of threads that the user has asked for; None: none.
        usual: our default.
    """
    if kind == "sync":
        return None
    if kind == "gthread":
        return asked or usual
    return max(asked or usual, usual)


def notice(origin: str, name: str, kind: Kind, threads: int) -> str:
    """The line about a kind of worker that is not here.

    Args:
        origin: where it was given.
        name: that of the class.
        kind: its kind.
        threads: the number taken in its place.
    """
    only = ", and only WSGI applications are served" if kind == "asgi" else ""
    how = f"each worker runs {threads} requests at a time (--threads), and none waits for slow clients"
    return f"{origin} {name}: there is no such worker{only}; {how}"
