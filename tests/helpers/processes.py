"""Servers in processes of their own, as Linux sees them: their lines, signals, memory and file descriptors."""

from __future__ import annotations

import ast
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from tests.helpers.serving import PATIENCE, Client

ROOT = Path(__file__).parents[2]
ISOLATED = ROOT / "tests/isolated"
ADDRESS = re.compile(r"https?://([0-9.]+):([0-9]+)")
KIB = 1024


def python_path(folder: Path) -> str:
    """PYTHONPATH with *folder* ahead of what this process was given, which may be where its packages are."""
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))


def open_files(pid: int) -> dict[int, str]:
    """What each file descriptor of a process is, without those that it closes meanwhile."""
    found = {}
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found[int(path.name)] = os.readlink(path)
    return found


def printed_by(code: str) -> Any:
    """What *code* prints in a Python process of its own, as a literal."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": python_path(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return ast.literal_eval(done.stdout)


class Process:
    """A Python process; what it prints, on either stream, comes line by line.

    Args:
        arguments: of the interpreter.
        backend: "c" or "py".
        variables: of the environment, besides the inherited ones.
    """

    def __init__(self, arguments: list[str], backend: str, **variables: str) -> None:
        environment = {
            **os.environ,
            "FASTWSGI_BACKEND": backend,
            "PYTHONPATH": python_path(ROOT),
            "PYTHONUNBUFFERED": "1",
            **variables,
        }
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.pid = self.process.pid
        self.seen: list[str] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()  # None: the end
        assert self.process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self._reader.start()
        self._address: tuple[str, int] | None = None

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def line(self, pattern: str, patience: float = PATIENCE) -> re.Match[str]:
        """The next line in which *pattern* is found; *patience* is for each line, in seconds."""
        while True:
            try:
                line = self._lines.get(timeout=patience)
            except queue.Empty:
                raise AssertionError(f"{pattern!r} did not come; there was {self.seen}") from None
            if line is None:
                self._lines.put(None)  # for who asks for another one
                raise AssertionError(f"ended without {pattern!r}; there was {self.seen}")
            self.seen.append(line)
            match = re.search(pattern, line)
            if match is not None:
                return match

    def found_in(self, path: Path, pattern: str) -> re.Match[str]:
        """Wait until *pattern* is found in the file *path*, which the process writes."""
        until = time.monotonic() + PATIENCE
        while True:
            found = re.search(pattern, path.read_text()) if path.exists() else None
            if found is not None:
                return found
            assert time.monotonic() < until, f"{pattern!r} did not come into {path}"
            assert self.process.poll() is None or path.exists(), self.seen

    def connect(self, receive_buffer: int = 0, log: Path | None = None) -> Client:
        """A new connection to where the process said that it listens, in its error log *log* if it has one."""
        if self._address is None:
            found = self.line(ADDRESS.pattern) if log is None else self.found_in(log, ADDRESS.pattern)
            self._address = found[1], int(found[2])
        return Client(self._address, receive_buffer)

    def elsewhere(self) -> None:
        """Connect by what it will say next: it is going to listen anew."""
        self._address = None

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self, patience: float = PATIENCE) -> int:
        """Wait for its end: the exit code."""
        code = self.process.wait(patience)
        self._reader.join(PATIENCE)
        while not self._lines.empty():
            line = self._lines.get()
            self.seen += [] if line is None else [line]
        return code

    def ends_by(self, number: signal.Signals) -> bool:
        """Send a signal; whether that ends it soon. (The system merges signals that come too fast.)"""
        self.signal(number)
        try:
            self.wait(0.1)
        except subprocess.TimeoutExpired:
            return False
        return True

    @property
    def memory(self) -> int:
        """Bytes that are its own, and its share of what it shares (PSS)."""
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        found = re.search(r"^Pss: +(\d+) kB", rollup, re.MULTILINE)
        assert found is not None
        return int(found[1]) * KIB

    def mark_memory(self) -> int:
        """Bytes it has resident now; most_memory() begins anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        return self.most_memory()

    def most_memory(self) -> int:
        """The most bytes it had resident since mark_memory()."""
        found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1]) * KIB

    def descriptors(self) -> list[str]:
        """What its open file descriptors are."""
        return list(open_files(self.pid).values())

    def end(self) -> None:
        """Make sure that it is gone."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait()


@contextmanager
def running(arguments: list[str], backend: str, **variables: str) -> Iterator[Process]:
    """A Process that does not outlive the test."""
    process = Process(arguments, backend, **variables)
    try:
        yield process
    finally:
        process.end()
