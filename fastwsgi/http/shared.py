"""What the connections of one loop share: buffers, the application's gateway, times and sizes, and who has the loop."""

from __future__ import annotations

from typing import Any


class Shared:
    """See above. Times are seconds on the loop's clock.

    Args:
        inbox, out: the receive buffer, and an empty out-buffer to be borrowed.
        gateway: a wsgi.Gateway.
        baton: of the thread that has the loop, a Baton.
        body, chunked: the classes body.Body and body.ChunkedBody.
        no_body: wsgi.input of requests without a body.
        loop: told what a connection waits for: watch(connection, "read" or "write", what it waited for before),
            resume(connection) for another turn, forget(connection), lose(connection, error) after a fault of ours.
        settings: has the times and sizes by the names of config.settings.
    """

    def __init__(
        self,
        inbox: Any,
        out: Any,
        gateway: Any,
        baton: Any,
        body: Any,
        chunked: Any,
        no_body: Any,
        loop: Any,
        settings: Any,
    ) -> None:
        self.inbox = inbox
        self.out = out
        self.gateway = gateway
        self.body = body
        self.chunked = chunked
        self.no_body = no_body
        self.loop = loop
        self.now = 0.0  # set by the loop
        self.keep_alive = float(settings.keep_alive)
        self.header_timeout = float(settings.header_timeout)
        self.body_timeout = float(settings.body_timeout)
        self.write_timeout = float(settings.write_timeout)
        self.linger_timeout = float(settings.linger_timeout)
        self.min_rate = float(settings.min_rate)  # bytes a second
        self.spool_size = int(settings.spool_size)
        self.max_body = gateway.framing.max_body
        self.pool: Any = None  # the threads.Pool, where several threads run the application
        self.baton = baton
        self.calls = 0  # odd while such a call runs: a number that stays the same tells of a call that is stuck
        self.monitor: Any = None  # looks at the calls, where there is somebody to tell
        self.dozing = False  # it does not look now
        self.full = False  # all threads are busy: requests queue
