"""What the loops of a process have in common besides the application: two accounts, each behind a lock of its own.

No request takes these locks but one that needs a temporary file; connections are counted when they begin and end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from fastwsgi.http.peers import client_network
from fastwsgi.originals import threading
from fastwsgi.server.spool import Disk

if TYPE_CHECKING:
    from fastwsgi.server.interfaces import SpoolShare
    from fastwsgi.settings.settings import Settings


class Clients:
    """The connections of each client; methods may be called in any thread.

    Args:
        most: connections that one client may have; 0: any number, and none are counted.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.networks: dict[int, str] = {}  # of the connections that count, by their file descriptors
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def admit(self, fd: int, host: str) -> bool:
        """Count the connection *fd* of the client *host*; False if that client has too many.

        Args:
            host: the peer's, so the proxy's where there is one; "" for a unix socket, which is not counted.
        """
        if self.most == 0 or not host:
            return True
        network = client_network(host)
        with self._lock:
            count = self._counts.get(network, 0) + 1
            if count > self.most:
                return False
            self._counts[network] = count
            self.networks[fd] = network
        return True

    def leave(self, fd: int) -> None:
        """Stop counting the connection *fd*, before its file descriptor can be another's."""
        with self._lock:
            network = self.networks.pop(fd, None)
            if network is not None:
                self._counts[network] -= 1
                if self._counts[network] == 0:
                    del self._counts[network]


class Commons:
    """Those of one process.

    Args:
        settings: max_connections_per_ip and max_spooled are read.
        log_error: called with a message and None.
        share: where the workers of a service read each other's sums; None for a single process.
    """

    def __init__(
        self,
        settings: Settings,
        log_error: Callable[[str, BaseException | None], None],
        share: SpoolShare | None = None,
    ) -> None:
        self.clients = Clients(settings.max_connections_per_ip)
        self.disk = Disk(settings.max_spooled, log_error, share)
