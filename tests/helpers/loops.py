"""Several loops of one process over one listener.

They run on any interpreter: where there is a GIL, the server never makes more than one, but nothing keeps them from
serving side by side.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

from fastwsgi.figures import SIZE, private_memory
from fastwsgi.observe.error_stream import ErrorStream
from fastwsgi.server.bind import close_listener, open_listener
from fastwsgi.server.commons import Commons
from fastwsgi.server.loop import Loop
from fastwsgi.server.loops import Loops
from fastwsgi.server.portion import Portion
from fastwsgi.settings.settings import Settings
from tests.helpers.serving import GET, PATIENCE, Answer, App, Client


class Group:
    """*count* loops of a build, which serve *app* in threads of their own."""

    def __init__(self, build: SimpleNamespace, app: App, count: int, settings: dict[str, Any]) -> None:
        given = {"defer_accept": False, "bind": ["127.0.0.1:0"], "threads": 2 * count, **settings}
        self.settings = Settings(**given)
        self.errors: list[str] = []  # not the exceptions, with which objects of the application would stay
        self.listener = open_listener(self.settings.bind[0], defer_accept=self.settings.defer_accept)
        self.address = self.listener.getsockname()
        self.memory = private_memory(count)
        commons = Commons(self.settings, self._note)
        makers = [partial(self._loop, build, app, number, count, commons) for number in range(count)]
        self.loops = Loops(makers, self.memory)
        self.each = self.loops.loops
        self.loops.add_listener(self.listener)
        self.failure: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _loop(self, build: SimpleNamespace, app: App, number: int, count: int, commons: Commons) -> Loop:
        portion: Any = Portion(self.settings, number, count)
        errors, words = ErrorStream(), self.memory[number * SIZE : (number + 1) * SIZE]
        loop = Loop(build, app, portion, self._note, errors, None, None, commons, words)
        errors.attach(loop.service)
        return loop

    def _note(self, message: str, error: BaseException | None) -> None:
        self.errors.append(message)

    def _run(self) -> None:
        try:
            self.loops.run()
        except BaseException as error:
            self.failure = error

    def connect(self) -> Client:
        return Client(self.address)

    def loop_of(self, client: Client) -> Loop:
        """The loop that has the connection of *client*, by its port."""
        port = str(client.socket.getsockname()[1])
        for loop in self.each:
            with loop.guard.held():
                if any(port == peer_port(one) for one in loop.all_connections()):
                    return loop
        raise AssertionError("no loop has this connection")

    def ask(self, data: bytes = GET) -> Answer:
        """The answer to *data* on a connection of its own."""
        with self.connect() as client:
            return client.send(data).answer()

    def ends(self) -> None:
        """Wait until run() has returned or raised."""
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive(), "the loops do not end"

    def stop(self) -> None:
        """Stop, and wait for the end."""
        self.loops.stop()
        self.ends()

    def close(self) -> None:
        if self.thread.is_alive():
            self.loops.stop()
            self.loops.abort()
            self.ends()
        self.loops.close()
        close_listener(self.listener)


def peer_port(connection: Any) -> str:
    """The port of the client of a connection."""
    reader = getattr(connection, "reader", None)
    return str(getattr(reader, "port", "")) if reader is not None else ""


@contextmanager
def looping(build: SimpleNamespace, app: App, count: int = 2, **settings: Any) -> Iterator[Group]:
    """A Group that runs; *settings* by their names in Settings."""
    group = Group(build, app, count, settings)
    group.thread.start()
    try:
        yield group
    finally:
        group.close()
    assert not [message for message in group.errors if "internal error" in message]
