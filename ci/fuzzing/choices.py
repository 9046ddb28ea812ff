"""Reads the bytes of a fuzzer as decisions: the same bytes, the same decisions; past the end every decision is 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

WAYS = 16  # decisions at most that stand behind the payload


class Choices:
    """Decisions from the front to the end of *data*."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def more(self) -> bool:
        """Whether anything is left to decide by."""
        return self.at < len(self.data)

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1] if self.at <= len(self.data) else 0

    def pick(self, things: Sequence[Any]) -> Any:
        return things[self.byte() % len(things)]

    def some(self, at_most: int) -> bytes:
        """Up to *at_most* bytes as they are."""
        count = min(self.byte(), at_most)
        self.at += count
        return self.data[self.at - count : self.at]


def payload_and_choices(data: bytes) -> tuple[bytes, Choices]:
    """The front of *data*, and the decisions behind it; the last byte says how many.

    So a request that is a seed stands in its input as it is.
    """
    count = min(data[-1] % WAYS if data else 0, len(data) - 1)
    end = len(data) - 1 - count
    return data[: max(0, end)], Choices(data[max(0, end) : -1])


def with_choices(payload: bytes, choices: bytes) -> bytes:
    """The input that payload_and_choices() takes apart."""
    assert len(choices) < WAYS
    return payload + choices + bytes([len(choices)])


def pieces(payload: bytes, sizes: Choices) -> list[bytes]:
    """*payload* cut as decided: up to 200 bytes at a time, or up to 3,520, and what is left in one."""
    found = []
    while payload and sizes.more():
        size = sizes.byte()
        size = size + 1 if size < 200 else (size - 199) * 64
        found.append(payload[:size])
        payload = payload[size:]
    return [*found, payload] if payload else found
