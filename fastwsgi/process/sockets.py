"""The listeners of a service: opened by the supervisor, which keeps them while workers come and go."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any

from fastwsgi.server.listeners import close_listener, open_listener, spell_address


@dataclass
class Entry:
    """One address of `bind`, and what is open for it.

    Without reuse_port that is one socket for all workers, else one for each position: a worker's successor inherits it,
    so that what waits in its queue is not lost.
    """

    address: str
    sockets: list[socket.socket]


class Listeners:
    """All entries. A change is prepared first, then kept or discarded, and the service has a listener all the time."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def prepare(self, settings: Any) -> list[Entry]:
        """What *settings* ask for: open already, or opened now. Raises BindError, with nothing changed."""
        spare = list(self.entries)
        prepared: list[Entry] = []
        try:
            for address in settings.bind:
                kept = next((one for one in spare if one.address == address), None)
                if kept is not None:
                    spare.remove(kept)
                prepared.append(kept or Entry(address, [_open(address, settings)]))
        except OSError:
            self.discard(prepared)
            raise
        return prepared

    def keep(self, prepared: list[Entry], backlog: int) -> None:
        """*prepared* is what there is from now on; the others are closed."""
        gone = [one for one in self.entries if one not in prepared]
        self.entries = prepared
        _close(gone)
        for entry in prepared:
            for listener in entry.sockets:
                listener.listen(backlog)

    def discard(self, prepared: list[Entry]) -> None:
        """*prepared* is not wanted: what was opened for it is closed."""
        _close([one for one in prepared if one not in self.entries])

    def spell(self) -> list[str]:
        """Where the service listens."""
        return [spell_address(entry.sockets[0]) for entry in self.entries]

    def close(self, ours: bool = True) -> None:
        """Stop listening; if the paths of unix sockets are not *ours* any more, leave them."""
        _close(self.entries, ours)
        self.entries = []


def _open(address: str, settings: Any) -> socket.socket:
    return open_listener(address, settings.backlog, settings.defer_accept)


def _close(entries: list[Entry], ours: bool = True) -> None:
    for entry in entries:
        for listener in entry.sockets:
            if ours:
                close_listener(listener)
            else:
                listener.close()


def let_go(entries: list[Entry], kept: list[socket.socket]) -> None:
    """In a worker: close what others listen on, lest the socket lives on here when they close it."""
    for entry in entries:
        for listener in entry.sockets:
            if listener not in kept:
                listener.close()


def at_position(entries: list[Entry], position: int) -> list[socket.socket]:
    """What the worker at *position* listens on."""
    return [entry.sockets[position % len(entry.sockets)] for entry in entries]
