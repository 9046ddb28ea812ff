"""The first slot of the scoreboard, which the supervisor writes: what concerns the whole service."""

from __future__ import annotations

from collections.abc import Sequence

from fastwsgi import figures
from fastwsgi.originals import os, time
from fastwsgi.status import scoreboard
from fastwsgi.status.scoreboard import Part, Scoreboard, Word
from fastwsgi.status.snapshot import ListenQueue


class Head(Part):
    """The head of *board*, written by this process, which starts the service now."""

    generation = Word(scoreboard.GENERATION)
    wanted = Word(scoreboard.WANTED)
    supervisor = Word(scoreboard.SUPERVISOR)
    since = Word(scoreboard.SINCE)
    reload_failed = Word(scoreboard.RELOAD_FAILED)
    failing_starts = Word(scoreboard.FAILING_STARTS)

    def __init__(self, board: Scoreboard) -> None:
        super().__init__(board.words, 0)
        self.supervisor = os.getpid()
        self.since = time.time_ns()
        self._shown: dict[int, bytes] = {}  # the texts that stand there, by their first words

    def count_start(self, reason: str) -> None:
        """Count the start of a worker; *reason* is one of START_REASONS."""
        self.words[scoreboard.STARTS + scoreboard.START_REASONS.index(reason)] += 1

    def count_reload(self, succeeded: bool) -> None:
        """Count a reload that has ended."""
        self.words[scoreboard.RELOADS + scoreboard.RELOAD_RESULTS.index("success" if succeeded else "failure")] += 1
        self.reload_failed = not succeeded

    def count_entry(self, level: int) -> None:
        """Count an entry of the supervisor's error log; *level* is an index into LOG_LEVELS."""
        self.words[scoreboard.HEAD_LOGGED + level] += 1

    def add_cpu(self, position: int, seconds: float) -> None:
        """Add what a worker at *position* that has ended had used."""
        self.words[scoreboard.DEAD_CPU + position] += int(seconds * 10**9)

    def show_queues(self, queues: Sequence[ListenQueue]) -> None:
        """Say what waits at the listeners."""
        shown = queues[: scoreboard.MOST_LISTENERS]
        for number, queue in enumerate(shown):
            at = scoreboard.LISTENERS + 1 + number * scoreboard.LISTENER_WORDS
            self.words[at], self.words[at + 1] = queue.waiting, queue.limit
            self._show_text(at + 2, queue.address, scoreboard.LISTENER_WORDS - 2)
        self.words[scoreboard.LISTENERS] = len(shown)

    def show_certificates(self, ends: Sequence[tuple[str, int]]) -> None:
        """Say the names of the certificates, and when each ends, in seconds since 1970."""
        shown = ends[: scoreboard.MOST_CERTIFICATES]
        for number, (name, end) in enumerate(shown):
            at = scoreboard.CERTIFICATES + 1 + number * scoreboard.CERTIFICATE_WORDS
            self.words[at] = end
            self._show_text(at + 1, name, scoreboard.CERTIFICATE_WORDS - 1)
        self.words[scoreboard.CERTIFICATES] = len(shown)

    def _show_text(self, at: int, text: str, words: int) -> None:
        """Write *text*, cut and filled up with zeros, unless it stands there already."""
        size = words * figures.WORD
        data = text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore").encode().ljust(size, b"\0")
        if self._shown.get(at) != data:
            self._shown[at] = data
            self.words[at : at + words] = memoryview(data).cast("q")
