"""Inputs to begin with: the messages of tests/http_cases."""

from __future__ import annotations

from functools import lru_cache

from tests.helpers.cases import all_cases

LONGEST = 4096  # bytes: longer ones slow the fuzzer down and say little more


@lru_cache
def messages() -> tuple[bytes, ...]:
    """What the clients of all HTTP cases send, each once."""
    sent = [b"".join(case.sent) for _, case in all_cases()]
    return tuple(dict.fromkeys(message for message in sent if len(message) <= LONGEST))


def bodies() -> list[bytes]:
    """What stands behind the heads of the messages in chunks."""
    found = (message.partition(b"\r\n\r\n")[2] for message in messages() if b"chunked" in message.lower())
    return list(dict.fromkeys(filter(None, found)))
