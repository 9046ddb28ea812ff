"""Three readers of heads, and what they disagree about: the pure parser, the compiled one, and the scanner."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fastwsgi import backend
from tests.helpers.heads import HeadReader


class Comparison:
    """The readers of one configuration, and what they disagreed about."""

    def __init__(self, **settings: Any) -> None:
        compiled = backend.build("c")
        self.scanning = HeadReader(compiled, True, **settings)
        self.compiled = HeadReader(compiled, False, **settings)
        self.pure = HeadReader(backend.build("py"), False, **settings)
        self.fates: Counter[str] = Counter()

    def check(self, raw: bytes, chance: float) -> str:
        """What the readers disagree about, "" if nothing; *chance*, from 0 to 1, is where an accepted head is cut."""
        pure = self.pure.read(raw)
        compiled = self.compiled.read(raw)
        self.fates[pure[0]] += 1
        if compiled != pure:
            return f"compiled {compiled}\n  pure     {pure}"
        if self.scanning.takes(raw):
            self.fates["scanned"] += 1
            scanned = self.scanning.read(raw)
            if scanned != pure:
                return f"scanner  {scanned}\n  pure     {pure}"
            if chance > 0.9 and self.scanning.read_often([raw], 6) != [pure] * 6:
                return "accepted, but not alike six times on one connection"
        if pure[0] == "accepted" and chance < 0.25:
            beginning = raw[: int(pure[-1] * 4 * chance)]
            if self.compiled.examine(beginning):
                return f"accepted, but its beginning is refused: {beginning!r}"
        return ""
