"""What a framework takes over from --reload: files, such as templates, that it reads again by itself.

A framework's own module adds an object while the application is loaded. The watcher then watches its files, too, and
asks it about each change before the workers are replaced for that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from fastwsgi.stamps import Stamp, stamp_of


class TakesOver(Protocol):
    """What watches files for a framework."""

    def files(self) -> Iterable[str]:
        """The absolute paths of files to watch; one that joins them later counts as changed."""

    def take(self, path: str) -> bool:
        """Told of a file that has changed, any that is watched: whether no worker need be replaced for it."""


_takers: list[TakesOver] = []
_first: dict[str, Stamp] = {}  # what the files were when they were named


def add(taker: TakesOver) -> None:
    """Have *taker* asked from now on."""
    _first.update({file: stamp_of(file) for file in taker.files()})
    _takers.append(taker)


def files() -> dict[str, Stamp]:
    """All files to watch for them, with what each was when its taker was added; None for one that has joined later."""
    return {file: _first.get(file) for taker in _takers for file in taker.files()}


def take(path: str) -> bool:
    """Tell them all of a file that has changed; whether one has taken it."""
    answers = [taker.take(path) for taker in _takers]
    return any(answers)
