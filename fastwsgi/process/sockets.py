"""The listening sockets of a service, which stay open while workers come and go.

The supervisor, or a process that serves alone, opens or inherits them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastwsgi.originals import os, socket
from fastwsgi.process import accounts, systemd
from fastwsgi.records import record
from fastwsgi.server.bind import ListeningSocket, adopt, close_listener, open_listener, spell_address

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings

OWNER_ONLY = 0o600  # the mode of unix sockets, unless another is asked for
HANDED_OVER = "FASTWSGI_LISTENERS"  # the variable with descriptors and addresses for the successor of an upgrade
SYSTEMD = "systemd:"  # prefix of the addresses of sockets from systemd, which replace all of `bind`


@record
class Binding:
    """One address of `bind`, and the sockets that are open for it.

    Without reuse_port there is one socket for all workers, else one for each position: a worker's successor inherits
    it, so that no connection in its queue is lost.
    """

    address: str
    sockets: list[ListeningSocket]

    @property
    def is_shared(self) -> bool:
        """Whether the process that started this one has it, too, and keeps listening when this one stops."""
        return self.address.startswith(("fd://", SYSTEMD))


class Listeners:
    """All bindings.

    A change is prepared first, then committed or discarded, so that the service has listeners at all times.

    Args:
        variable: that with the listeners which a predecessor has handed over.
        option: that names their addresses.
    """

    def __init__(self, variable: str = HANDED_OVER, option: str = "--bind") -> None:
        self.variable = variable
        self._option = option
        self.bindings: list[Binding] = []

    def open(self, settings: Settings) -> None:
        """Begin with inherited sockets, and open the rest that *settings* ask for. Raises BindError."""
        self._inherit()
        self.commit(self.prepare(settings), settings)

    def _inherit(self) -> None:
        """Take the sockets that a predecessor has handed over, or systemd has passed. Raises BindError."""
        self.inherit()
        passed = systemd.listen_fds()
        if not self.bindings:
            self.bindings = [Binding(f"{SYSTEMD}{fd}", [adopt(fd)]) for fd in passed]

    def inherit(self) -> None:
        """Take the sockets that a predecessor has handed over. Raises BindError."""
        for item in os.environ.pop(self.variable, "").split():
            fds, _, address = item.partition("=")
            self.bindings.append(Binding(address, [adopt(int(fd)) for fd in fds.split(",")]))

    def prepare(self, settings: Settings) -> list[Binding]:
        """The bindings for *settings*, opened where they were not open. Raises BindError, with nothing changed."""
        if any(one.address.startswith(SYSTEMD) for one in self.bindings):
            return self.bindings
        spare = list(self.bindings)
        prepared: list[Binding] = []
        try:
            for address in settings.bind:
                binding = next((one for one in spare if one.address == address), Binding(address, []))
                if binding in spare:
                    spare.remove(binding)
                prepared.append(binding)
                _fill(binding, settings, self._option)
        except OSError:
            self.discard(prepared)
            raise
        return prepared

    def commit(self, prepared: list[Binding], settings: Settings) -> None:
        """Use *prepared* from now on, and close all others."""
        gone = [one for one in self.bindings if one not in prepared]
        self.bindings = prepared
        _close(gone)
        self.trim(_wanted(settings))
        for binding in prepared:
            for listener in () if binding.is_shared else binding.sockets:
                listener.listen(settings.backlog)

    def trim(self, positions: int) -> None:
        """Close the sockets of positions that are gone: no worker would accept the connections in their queues."""
        for binding in self.bindings:
            while len(binding.sockets) > positions:
                binding.sockets.pop().close()

    def discard(self, prepared: list[Binding]) -> None:
        """Close what was opened for *prepared*, which is no longer wanted."""
        _close([one for one in prepared if one not in self.bindings])

    def urls(self, scheme: str) -> list[str]:
        """The URLs on which the service listens."""
        return [spell_address(binding.sockets[0], scheme) for binding in self.bindings]

    def own_paths(self) -> None:
        """Take charge of the paths of unix sockets, as the predecessor that made them is gone."""
        for binding in self.bindings:
            if not binding.is_shared:
                binding.sockets[0].own_path()

    def close(self, remove_paths: bool = True) -> None:
        """Stop listening, and remove the paths of unix sockets, unless another process has them."""
        _close(self.bindings, remove_paths)
        self.bindings = []

    def hand_over(self) -> str:
        """Let the program that this forked process will execute inherit all sockets; the value of the variable."""
        for binding in self.bindings:
            for listener in binding.sockets:
                listener.set_inheritable(True)
        fds = [",".join(str(listener.fileno()) for listener in binding.sockets) for binding in self.bindings]
        return " ".join(f"{one}={binding.address}" for one, binding in zip(fds, self.bindings))


def _wanted(settings: Settings) -> int:
    """The number of sockets for an address."""
    return settings.workers if settings.reuse_port else 1


def _mode(settings: Settings) -> int | None:
    """The mode of unix sockets: for this user alone, unless a mode or a umask was given."""
    if settings.socket_mode is not None:
        return int(settings.socket_mode, 8)
    return OWNER_ONLY if settings.umask is None else None


def _fill(binding: Binding, settings: Settings, option: str) -> None:
    """Open what is missing in *binding*. Raises BindError."""
    address, wanted = binding.address, _wanted(settings)
    while len(binding.sockets) < wanted:
        listener = open_listener(
            address,
            settings.backlog,
            settings.defer_accept,
            reuse_port=settings.reuse_port,
            socket_mode=_mode(settings),
            owner=accounts.worker_ids(settings),
            option=option,
        )
        binding.sockets.append(listener)
        if binding.is_shared or listener.family == socket.AF_UNIX:
            return  # there can be only one
        address = f"{address.rpartition(':')[0]}:{listener.getsockname()[1]}"  # the number for port 0 is chosen now


def _close(bindings: list[Binding], remove_paths: bool = True) -> None:
    for binding in bindings:
        for listener in binding.sockets:
            if remove_paths and not binding.is_shared:
                close_listener(listener)
            else:
                listener.close()


def close_others(bindings: list[Binding], kept: Sequence[socket.socket]) -> None:
    """In a child, close all sockets but those *kept*: they would stay open here after other processes close them."""
    for binding in bindings:
        for listener in binding.sockets:
            if listener not in kept:
                listener.close()


def at_position(bindings: list[Binding], position: int) -> list[socket.socket]:
    """The sockets on which the worker at *position* listens."""
    return [binding.sockets[position % len(binding.sockets)] for binding in bindings]


def shared_sockets(bindings: list[Binding]) -> list[socket.socket]:
    """The sockets on which another process keeps listening when this service stops."""
    return [listener for binding in bindings if binding.is_shared for listener in binding.sockets]
