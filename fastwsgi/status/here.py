"""The memory of the service that this process belongs to, for those who read it from inside an application."""

from __future__ import annotations

from fastwsgi.status.reading import Reader

_readers: list[Reader] = []


def belong(reader: Reader) -> None:
    """Have this process belong to the service that *reader* reads."""
    _readers[:] = [reader]


def leave() -> None:
    """Have it belong to none."""
    _readers.clear()


def reader() -> Reader | None:
    """Reads the service of this process; None: it serves nothing, or another server does."""
    return _readers[0] if _readers else None
