"""The chunked coding as a body decodes it, in either build."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from fastwsgi.http.errors import HttpError
from fastwsgi.server.holdings import Holdings
from fastwsgi.server.spool import Disk


def kept(spool_size: int) -> tuple[Holdings, Disk]:
    """The last arguments of a body of which *spool_size* bytes may stay in memory."""
    return Holdings(0, spool_size, lambda: None), Disk(0, print)


def decode(build: SimpleNamespace, chunks: list[bytes], limits: tuple[int, int]) -> tuple[Any, ...]:
    """What becomes of a body in *chunks*: (complete, its bytes, what is left over) or ("refused", status)."""
    body = build.body.ChunkedBody(limits[0], *kept(limits[1]))
    inbox = build.inbox.Inbox()
    rest, complete = b"", False
    try:
        for chunk in chunks:
            inbox.fill(rest + chunk)
            complete = complete or body.feed(inbox)
            rest = inbox.take(inbox.available())
        assert complete or len(rest) <= 16384 + 2, "more is kept than a line may be long"
        assert body.received <= limits[0]
        return (complete, body.rewind().read(), rest if complete else b"")
    except HttpError as error:
        return ("refused", error.status)  # 400 or 413, as the pure build says
    finally:
        body.discard()
