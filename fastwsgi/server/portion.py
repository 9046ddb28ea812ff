"""The settings of one of several loops: those of the process, but its portion of each bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings


class Portion:
    """What *settings* are for the loop *number* of *loops*; all portions of a bound add up to it."""

    def __init__(self, settings: Settings, number: int, loops: int) -> None:
        def portion(bound: int) -> int:
            return max(1, bound // loops + (number < bound % loops)) if bound else 0

        self._settings = settings
        self.whole = settings
        self.loops = loops
        self.threads = portion(settings.threads)
        self.max_queue = portion(settings.max_queue)
        self.max_waiting_streams = portion(settings.max_waiting_streams)
        self.max_connections = portion(settings.max_connections)
        self.max_buffered = portion(settings.max_buffered)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._settings, name)
