"""Load that accounts for every request: some clients keep their connection, others take a new one each time.

A request is lost when it was sent and no whole answer came, or when the connection was refused. A kept connection that
the server closed before the next request was sent is no loss: that is what the protocol allows (RFC 9112 9.3).
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any, Callable

from tests.helpers.serving import GET, PATIENCE, Answer, Client, Ended


class Load:
    """Clients in threads, from `with` on to its end.

    Args:
        address: of the server.
        kept: how many clients keep their connection.
        new: how many take a new one for each request.
        data: the request.
        pause: seconds that each client waits after each request; without, they are as fast as they can be.
        connect: makes a client's connection.
    """

    def __init__(
        self,
        address: Any,
        kept: int = 2,
        new: int = 2,
        data: bytes = GET,
        pause: float = 0.001,  # without a GIL, each of these threads would take a core from the server
        connect: Callable[[Any], Client] = Client,
    ) -> None:
        self.address = address
        self.connect = connect
        self.data = data
        self.pause = pause
        self.answers: Counter[bytes] = Counter()  # bodies of whole answers with status 200
        self.lost: list[str] = []
        self.seconds: list[float] = []  # that each whole answer took, from connect() on where there was one
        self.done = 0
        self._changed = threading.Condition()
        self._ending = False
        self._threads = [threading.Thread(target=self._keep, daemon=True) for _ in range(kept)]
        self._threads += [threading.Thread(target=self._renew, daemon=True) for _ in range(new)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    def end(self) -> None:
        """Let each client finish the request that it is at."""
        self._ending = True
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a client hangs"

    def more(self, count: int = 50) -> None:
        """Wait until *count* more requests are through."""
        with self._changed:
            goal = self.done + count
            assert self._changed.wait_for(lambda: self.done >= goal, PATIENCE), f"no answers; lost {self.lost}"

    def wait_for(self, body: bytes) -> None:
        """Wait until the server answers with *body*."""
        with self._changed:
            assert self._changed.wait_for(lambda: body in self.answers, PATIENCE), f"{self.answers} {self.lost}"

    def percentile(self, share: float) -> float:
        """The latency in ms that *share* of the answers did not exceed."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000

    def _note(self, outcome: bytes | str) -> None:
        with self._changed:
            self.done += 1
            if isinstance(outcome, bytes):
                self.answers[outcome] += 1
            else:
                self.lost.append(outcome)
            self._changed.notify_all()

    def _ask(self, client: Client, began: float) -> bool:
        """One request; whether the connection may be used again."""
        try:
            answer: Answer = client.send(self.data).answer()
        except (Ended, OSError) as error:
            self._note(f"{type(error).__name__}: {error}")
            return False
        whole = answer.whole and answer.status == 200
        self.seconds.append(time.monotonic() - began)
        if self.pause:
            time.sleep(self.pause)
        self._note(answer.body if whole else f"{answer.line!r} {answer.body[:80]!r} {client.end}")
        return whole and answer.get("Connection") != "close"

    def _connect(self) -> Client | None:
        try:
            return self.connect(self.address)
        except OSError as error:
            self._note(f"connect: {error}")
            return None

    def _renew(self) -> None:
        while not self._ending:
            began = time.monotonic()
            client = self._connect()
            if client is not None:
                with client:
                    self._ask(client, began)

    def _keep(self) -> None:
        while not self._ending:
            client = self._connect()
            if client is not None:
                with client:
                    while not self._ending and not self.is_closed(client) and self._ask(client, time.monotonic()):
                        pass

    @staticmethod
    def is_closed(client: Client) -> bool:
        """Whether the server has ended the connection already."""
        client.socket.setblocking(False)
        try:
            return not client.more()
        except BlockingIOError:
            return False
        finally:
            client.socket.settimeout(PATIENCE)
