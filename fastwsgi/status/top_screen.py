"""The screen of `fastwsgi top`: it draws the lines of top_view.py by curses, and takes keys.

However it ends, by q, Ctrl-C, a signal or a failure, the terminal is as it was before.
"""

from __future__ import annotations

import curses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fastwsgi.mistakes import Mistake
from fastwsgi.originals import os, signal
from fastwsgi.status import top_view
from fastwsgi.status.client import Document, Service
from fastwsgi.status.top_columns import COLUMNS
from fastwsgi.status.top_view import Choice, Line
from fastwsgi.status.top_watch import Watch

if TYPE_CHECKING:
    from curses import window

TICK = 100  # ms in which the screen takes up what has come
COLOURS = {"bad": curses.COLOR_RED, "warning": curses.COLOR_YELLOW, "good": curses.COLOR_GREEN}
PLAIN = {
    "bad": curses.A_REVERSE,
    "warning": curses.A_BOLD,
    "dim": curses.A_DIM,
    "title": curses.A_BOLD,
    "chosen": curses.A_BOLD | curses.A_REVERSE,
}
"""The styles without colours."""


def run(service: Service, document: Document, interval: float) -> int:
    """Show *document* and its successors until the user quits; the exit code."""
    watch = Watch(service, document, interval)
    watch.start()
    with ending_by_signals():
        try:
            curses.wrapper(lambda screen: Screen(screen, watch).run())
        except KeyboardInterrupt:  # as good as q
            pass
        finally:
            watch.end()
    return 0


@contextmanager
def ending_by_signals() -> Iterator[None]:
    """Have signals that would end the process at once unwind it instead, so that the terminal is restored."""

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def styles() -> dict[str, int]:
    """The attributes of each style, in colour unless the terminal or NO_COLOR is against it."""
    if not curses.has_colors():
        return PLAIN
    curses.use_default_colors()
    if os.environ.get("NO_COLOR"):
        return PLAIN
    found = dict(PLAIN)
    for number, (name, colour) in enumerate(COLOURS.items(), 1):
        curses.init_pair(number, colour, -1)
        found[name] = curses.color_pair(number) | (curses.A_BOLD if name == "bad" else 0)
    return found


class Screen:
    """The screen, for as long as the user looks at it."""

    def __init__(self, screen: window, watch: Watch) -> None:
        self.screen = screen
        self.watch = watch
        self.choice = Choice()
        self.styles = styles()
        try:
            curses.curs_set(0)
        except curses.error:  # a terminal that cannot hide it
            pass
        screen.timeout(TICK)

    def run(self) -> None:
        """Draw and take keys, until one quits."""
        while True:
            self.draw()
            key = self.screen.getch()
            if key == ord("q"):
                return
            self.take(key)

    def take(self, key: int) -> None:
        """Do what a key asks for; -1 is none."""
        choice = self.choice
        if key == -1 or key == curses.KEY_RESIZE:  # curses has noted the new size
            return
        if choice.explains:
            choice.explains = False
        elif key == ord("?") or key == ord("h"):
            choice.explains = True
        elif key == ord("p"):
            self.watch.pause()
        elif key == ord("r"):
            choice.requests = not choice.requests
        elif key == ord("s") or key == ord("S"):
            choice.sort = (choice.sort + (1 if key == ord("s") else -1)) % len(COLUMNS)

    def draw(self) -> None:
        """Draw all; what there is no room for is left out."""
        height, width = self.screen.getmaxyx()
        self.screen.erase()
        lines = [self.state(), *self.body(width, height - 1)]
        for row, line in enumerate(lines[:height]):
            self.draw_line(row, line, width)
        self.screen.refresh()

    def body(self, width: int, height: int) -> list[Line]:
        """What is below the first line."""
        if self.choice.explains:
            return top_view.explanation(width)
        try:
            return top_view.picture(self.watch.document, self.choice, width, height)
        except Mistake as mistake:  # another version has taken the place of the one before
            return [[(str(mistake), "bad")]]

    def state(self) -> Line:
        """The first line: whom the screen shows, and whether that is so now."""
        watch = self.watch
        if watch.trouble:
            silence = f"no answer from {watch.service} since {watch.silence():.0f} s"
            return [(silence, "bad"), (f"   {watch.trouble}", "dim")]
        if watch.is_paused:
            return [(f"paused {watch.silence():.0f} s ago", "warning"), ("   p goes on   q quits", "dim")]
        column = COLUMNS[self.choice.sort].title
        return [(f"{watch.service}", "title"), (f"   by {column}   {top_view.KEYS}", "dim")]

    def draw_line(self, row: int, line: Line, width: int) -> None:
        """Draw *line*, as far as it goes."""
        column = 0
        for text, style in line:
            if column < width:
                try:
                    self.screen.addnstr(row, column, text, width - column, self.styles.get(style, 0))
                except curses.error:  # behind the last cell of the screen the cursor has no place
                    pass
            column += len(text)
