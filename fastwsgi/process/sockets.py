"""The listeners of a service: opened or inherited by the supervisor, which keeps them while workers come and go."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Any

from fastwsgi.process import accounts, process_setup, systemd
from fastwsgi.server.addresses import BindError
from fastwsgi.server.bind import Listener, adopt, close_listener, open_listener, spell_address

OWNER_ONLY = 0o600
HANDED_OVER = "FASTWSGI_LISTENERS"  # names descriptors and addresses for the supervisor that an upgrade starts
SYSTEMD = "systemd:"  # begins the addresses of what systemd has passed; it stands for all of `bind`


@dataclass
class Binding:
    """One address of `bind`, and what is open for it.

    Without reuse_port that is one socket for all workers, else one for each position: a worker's successor inherits it,
    so that what waits in its queue is not lost.
    """

    address: str
    sockets: list[Listener]

    @property
    def is_shared(self) -> bool:
        """Whether whoever started us has it, too, and listens on when we stop."""
        return self.address.startswith(("fd://", SYSTEMD))


class Listeners:
    """All entries. A change is prepared first, then kept or discarded, and the service has a listener all the time."""

    def __init__(self) -> None:
        self.entries: list[Binding] = []

    def inherit(self) -> None:
        """Take what a predecessor has handed over, or what systemd has passed. Raises BindError."""
        for item in os.environ.pop(HANDED_OVER, "").split():
            fds, _, address = item.partition("=")
            self.entries.append(Binding(address, [adopt(int(fd)) for fd in fds.split(",")]))
        passed = systemd.listen_fds()
        if not self.entries:
            self.entries = [Binding(f"{SYSTEMD}{fd}", [adopt(fd)]) for fd in passed]

    def prepare(self, settings: Any) -> list[Binding]:
        """What *settings* ask for: open already, or opened now. Raises BindError, with nothing changed."""
        if any(one.address.startswith(SYSTEMD) for one in self.entries):
            return self.entries
        for address in settings.bind:
            if address.startswith("fd://") and settings.bind.count(address) > 1:
                raise BindError(f"{address} is given twice: name each descriptor once")
        spare = list(self.entries)
        prepared: list[Binding] = []
        try:
            for address in settings.bind:
                entry = next((one for one in spare if one.address == address), Binding(address, []))
                if entry in spare:
                    spare.remove(entry)
                prepared.append(entry)
                _fill(entry, settings)
        except OSError:
            self.discard(prepared)
            raise
        return prepared

    def commit(self, prepared: list[Binding], settings: Any) -> None:
        """*prepared* is what there is from now on; the others are closed."""
        gone = [one for one in self.entries if one not in prepared]
        self.entries = prepared
        _close(gone)
        self.trim(_wanted(settings))
        for entry in prepared:
            for listener in () if entry.is_shared else entry.sockets:
                listener.listen(settings.backlog)

    def trim(self, positions: int) -> None:
        """There are fewer workers: nobody may be left in the queue of a position that is no more."""
        for entry in self.entries:
            while len(entry.sockets) > positions:
                entry.sockets.pop().close()

    def discard(self, prepared: list[Binding]) -> None:
        """*prepared* is not wanted: what was opened for it is closed."""
        _close([one for one in prepared if one not in self.entries])

    def urls(self, scheme: str) -> list[str]:
        """Where the service listens."""
        return [spell_address(entry.sockets[0], scheme) for entry in self.entries]

    def own_paths(self) -> None:
        """The paths of unix sockets are this process's to remove, as the predecessor that made them is gone."""
        for entry in self.entries:
            if not entry.is_shared:
                entry.sockets[0].own_path()

    def close(self, ours: bool = True) -> None:
        """Stop listening; if the paths of unix sockets are not *ours* any more, leave them."""
        _close(self.entries, ours)
        self.entries = []

    def hand_over(self) -> str:
        """Let the next program inherit all, in a process just forked: the value of HANDED_OVER."""
        for entry in self.entries:
            for listener in entry.sockets:
                listener.set_inheritable(True)
        fds = [",".join(str(listener.fileno()) for listener in entry.sockets) for entry in self.entries]
        return " ".join(f"{one}={entry.address}" for one, entry in zip(fds, self.entries))


def _wanted(settings: Any) -> int:
    """How many sockets an address has."""
    return int(settings.workers) if settings.reuse_port else 1


def _mode(settings: Any) -> int | None:
    """Who may connect to a unix socket: this user alone, unless a mode or a umask was given. Raises Mistake."""
    if settings.socket_mode is not None:
        return process_setup.read_mode("--socket-mode", settings.socket_mode)
    return OWNER_ONLY if settings.umask is None else None


def _fill(entry: Binding, settings: Any) -> None:
    """Open what is missing in *entry*. Raises BindError."""
    address, wanted = entry.address, _wanted(settings)
    while len(entry.sockets) < wanted:
        listener = open_listener(
            address,
            settings.backlog,
            settings.defer_accept,
            reuse_port=settings.reuse_port,
            socket_mode=_mode(settings),
            owner=accounts.worker_ids(settings),
        )
        entry.sockets.append(listener)
        if entry.is_shared or listener.family == socket.AF_UNIX:
            return  # there is one only
        address = spell_address(listener)[len("http://") :]  # port 0 is chosen now


def _close(entries: list[Binding], ours: bool = True) -> None:
    for entry in entries:
        for listener in entry.sockets:
            if ours and not entry.is_shared:
                close_listener(listener)
            else:
                listener.close()


def let_go(entries: list[Binding], kept: list[socket.socket]) -> None:
    """In a worker: close what others listen on, lest the socket lives on here when they close it."""
    for entry in entries:
        for listener in entry.sockets:
            if listener not in kept:
                listener.close()


def at_position(entries: list[Binding], position: int) -> list[socket.socket]:
    """What the worker at *position* listens on."""
    return [entry.sockets[position % len(entry.sockets)] for entry in entries]


def shared_with_others(entries: list[Binding]) -> list[socket.socket]:
    """What somebody else has, too, and listens on when this service stops."""
    return [listener for entry in entries if entry.is_shared for listener in entry.sockets]
