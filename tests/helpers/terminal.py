"""A command on a terminal of its own: what its screen shows, keys, and sizes."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

import pyte

from tests.helpers.processes import ROOT, python_path
from tests.helpers.serving import PATIENCE


class Terminal:
    """A process whose standard streams are a terminal.

    Attributes:
        output: all bytes that it has written.
        screen: what they come to.
    """

    def __init__(self, arguments: list[str], columns: int, lines: int, folder: Path, **variables: str) -> None:
        self.master, self.slave = os.openpty()
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self.output = b""
        self._set_size(columns, lines)
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fastwsgi", *arguments],
            **dict.fromkeys(("stdin", "stdout", "stderr"), self.slave),  # type: ignore[call-overload]
            cwd=folder,
            env={**os.environ, "TERM": "xterm-256color", "PYTHONPATH": python_path(ROOT), **variables},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0) and None,
        )

    @property
    def lines(self) -> list[str]:
        """The lines of the screen."""
        return [line.rstrip() for line in self.screen.display]

    def read(self, patience: float) -> bool:
        """Take what it writes within *patience* seconds; whether there was something."""
        if not select.select([self.master], [], [], patience)[0]:
            return False
        data = os.read(self.master, 1 << 16)
        self.output += data
        self._stream.feed(data)
        return True

    def until(self, condition: Callable[[str], Any]) -> str:
        """Wait until the text on the screen is as wanted: that text."""
        end = time.monotonic() + PATIENCE
        while not condition(text := "\n".join(self.lines)):
            assert time.monotonic() < end, f"it never came:\n{text}"
            self.read(0.1)
        return text

    def shows(self, *texts: str) -> str:
        """Wait until all of these are on the screen: its text."""
        return self.until(lambda screen: all(text in screen for text in texts))

    def lacks(self, *texts: str) -> str:
        """Wait until none of these is on the screen: its text."""
        return self.until(lambda screen: not any(text in screen for text in texts))

    def colour_of(self, text: str) -> str:
        """The colour in which *text* begins."""
        row = next(number for number, line in enumerate(self.lines) if text in line)
        return str(self.screen.buffer[row][self.lines[row].index(text)].fg)

    def press(self, keys: str) -> None:
        """Type *keys*."""
        os.write(self.master, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Have another size; the process is told."""
        self.screen.resize(lines, columns)
        self._set_size(columns, lines)

    def _set_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def wait(self) -> int:
        """Wait for its end: the exit code."""
        end = time.monotonic() + PATIENCE
        while (code := self.process.poll()) is None:
            assert time.monotonic() < end, self.lines
            self.read(0.05)
        while self.read(0):
            pass
        return code

    def is_restored(self) -> bool:
        """Whether the terminal is as it was: its modes, the main screen, a visible cursor."""
        left = self.output.rfind(b"\x1b[?1049l") > self.output.rfind(b"\x1b[?1049h")
        return termios.tcgetattr(self.slave) == self.before and left and not self.screen.cursor.hidden

    def close(self) -> None:
        """Make sure that it is gone."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@contextmanager
def on_terminal(
    arguments: list[str], folder: Path, columns: int = 120, lines: int = 30, **variables: str
) -> Iterator[Terminal]:
    """The command with *arguments* on a Terminal, which does not outlive the test."""
    terminal = Terminal(arguments, columns, lines, folder, **variables)
    try:
        yield terminal
    finally:
        terminal.close()
