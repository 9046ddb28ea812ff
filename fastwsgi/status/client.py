"""A service as its status address shows it: its document, and the stacks of its requests."""

from __future__ import annotations

import http.client
import json
from typing import Any

from fastwsgi.mistakes import Mistake, summary
from fastwsgi.originals import os, socket, time
from fastwsgi.server.addresses import Address, Inherited, Tcp
from fastwsgi.status.escapes import ascii_text
from fastwsgi.status.snapshot import FORMAT

PATIENCE = 3.0  # seconds for a whole answer
PATIENCE_WITH_STACKS = 5.0  # which all workers are asked for
MOST = 16 << 20  # bytes of an answer; a worker takes some kilobytes
Document = dict[str, Any]


class NoAnswer(Mistake):
    """Nobody answers, or nobody that is a service of ours; str() is one line, whatever the other side said."""

    def __init__(self, line: str) -> None:
        super().__init__(ascii_text(line))


class Service:
    """A service by its status address."""

    def __init__(self, address: Address) -> None:
        self.address = address

    def __str__(self) -> str:
        address = self.address
        if isinstance(address, Tcp):
            host = f"[{address.host}]" if ":" in address.host else address.host
            return f"{host}:{address.port}"
        return f"fd://{address.fd}" if isinstance(address, Inherited) else f"unix:{address.path}".replace("\0", "@")

    def document(self, patience: float = PATIENCE) -> Document:
        """What /status.json tells within *patience* seconds. Raises NoAnswer."""
        try:
            document = json.loads(self._get("/status.json", patience))
            found = document["format"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise NoAnswer(f"{self} answers, but not as the --status-bind of a service does") from None
        if found != FORMAT:
            raise NoAnswer(f"{self} is another version of fastwsgi, {document.get('version')}: use its own command")
        return dict(document)

    def stacks(self) -> str:
        """What /stacks tells. Raises NoAnswer."""
        return self._get("/stacks", PATIENCE_WITH_STACKS).decode("utf-8", "backslashreplace")

    def _get(self, path: str, patience: float) -> bytes:
        connection = _Connection(self.address, patience)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read(MOST + 1)
        except ConnectionRefusedError:
            raise NoAnswer(f"nobody listens at {self}: does the service run, with that as --status-bind?") from None
        except (TimeoutError, socket.timeout):  # the same since Python 3.10
            raise NoAnswer(f"{self} does not answer within {patience:.0f} s") from None
        except OSError as error:
            raise NoAnswer(f"{self}: {error.strerror or summary(error)}") from None
        except http.client.HTTPException as error:
            raise NoAnswer(f"{self} does not answer in HTTP: {summary(error)}") from None
        finally:
            connection.close()
        if len(body) > MOST:
            raise NoAnswer(f"{self} answers {path} with more than {MOST >> 20} MB")
        if response.status != 200:
            why = body[:200].partition(b"\n")[0].decode("latin-1")
            raise NoAnswer(f"{self} answers {path} with {response.status}: {why or response.reason}")
        return body


class _Connection(http.client.HTTPConnection):
    """A connection to any address that a service can have, for *patience* seconds."""

    def __init__(self, address: Address, patience: float) -> None:
        super().__init__("localhost", timeout=patience)
        self._address = address
        self._ends = time.monotonic() + patience

    def connect(self) -> None:
        self.sock = _Hurried(self._connected(), self._ends)

    def _connected(self) -> socket.socket:
        address = self._address
        if isinstance(address, Tcp):
            return socket.create_connection((address.host, address.port), self.timeout)
        if isinstance(address, Inherited):
            raise OSError(f"{address} cannot be connected to")
        connected = socket.socket(socket.AF_UNIX)
        connected.settimeout(self.timeout)
        try:
            connected.connect(os.fsencode(address.path))
        except OSError:
            connected.close()
            raise
        return connected


class _Hurried(socket.socket):
    """The socket of *connected*, whose last byte has to be there when it *ends* (time.monotonic()).

    A timeout of a socket is for each piece alone, of which a server may send one after another for ever.
    """

    def __init__(self, connected: socket.socket, ends: float) -> None:
        super().__init__(fileno=connected.detach())
        self._ends = ends
        self._hurry()

    def _hurry(self) -> None:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise socket.timeout
        self.settimeout(left)

    def recv_into(self, *arguments: Any) -> int:
        self._hurry()
        return super().recv_into(*arguments)
