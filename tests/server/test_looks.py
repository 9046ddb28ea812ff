"""Looks at all connections of a loop, while a thread that serves one of them alone ends it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.serving import GET, answering, serving


class Leaving:
    """Stands for a connection of which another thread ends a second one, while the loop looks at this one."""

    fd = -5

    def __init__(self, loop: Any) -> None:
        self.loop = loop
        loop.connections.update({-5: self, -6: self, -7: self})

    def _leave(self, *arguments: Any) -> bool:
        self.loop.connections.pop(-6, None)
        return False

    look = is_lingering = idle_since = excuse = _leave


@pytest.mark.parametrize(
    "look",
    [
        lambda loop: loop.deadlines.find_late(0.0),
        lambda loop: loop.deadlines.excuse(1.0),
        lambda loop: loop.admission._search(),
        lambda loop: loop.is_done(),
    ],
)
def test_a_connection_that_a_thread_ends_disturbs_no_look_at_all(build: SimpleNamespace, look: Any) -> None:
    with serving(build, answering(b"hello"), threads=2) as server:
        with server.connect() as client:
            assert client.send(GET).answer().body == b"hello"
            server.call(lambda: (Leaving(server.loop), look(server.loop), server.loop.connections.clear()))
