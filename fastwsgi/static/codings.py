"""Which of a file's codings a client gets (RFC 9110 12.5.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

IDENTITY = "identity"
SUFFIXES = {"zstd": b".zst", "br": b".br", "gzip": b".gz"}
"""The end of the name of the file that has a coding."""

QUALITY = r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?"
MEMBER = re.compile(rf"[ \t]*([!#$%&'*+.^_`|~0-9a-z-]+)(?:[ \t]*;[ \t]*q=({QUALITY}))?[ \t]*")
ALIASES = {"x-gzip": "gzip"}  # RFC 9110 8.4.1.3
REMEMBERED = 64  # values: clients send few different ones
LONGEST = 256  # characters of one that is remembered


class Choice:
    """Chooses codings for the clients of one loop."""

    def __init__(self) -> None:
        self._remembered = lru_cache(REMEMBERED)(_read)

    def choose(self, accepted: str | None, sizes: Mapping[str, int]) -> str | None:
        """The coding to send: of those that the client likes best the smallest; None if it accepts none.

        Args:
            accepted: the value of Accept-Encoding; None: there was none, and the file is sent as it is.
            sizes: the codings that there are, with the bytes of each.
        """
        if accepted is None:
            return IDENTITY if IDENTITY in sizes else None
        qualities = _read(accepted) if len(accepted) > LONGEST else self._remembered(accepted)
        best, found = (0.0, 0), None
        for coding, size in sizes.items():
            quality = qualities.get(coding, qualities.get("*", -1.0))
            if quality < 0.0 and coding == IDENTITY:
                quality = 0.0001  # acceptable, and liked less than whatever is named
            if quality > 0.0 and (found is None or (quality, -size) > best):
                best, found = (quality, -size), coding
        return found


def _read(accepted: str) -> dict[str, float]:
    """The quality of each coding that is named; members that are malformed mean nothing."""
    found = {}
    for member in accepted.lower().split(","):
        match = MEMBER.fullmatch(member)
        if match is not None:
            found[ALIASES.get(match[1], match[1])] = float(match[2]) if match[2] else 1.0
    return found
