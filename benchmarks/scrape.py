"""What a scrape of /metrics costs the status process: CPU time to read all workers and to write the text.

    python benchmarks/scrape.py --workers 64

The workers are processes that do nothing, with figures in shared memory as workers have them, each with four requests
that run. The kernel is asked for their memory about once a second, as the status process does anyway; a scrape for
which that is due is the second figure.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from statistics import median

from fastwsgi import figures
from fastwsgi.status import metrics
from fastwsgi.status.reading import Reader
from fastwsgi.status.scoreboard import Scoreboard, Slot

THREADS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=64, help="how many there are (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=500, help="scrapes (default: %(default)s)")
    options = parser.parse_args()
    board = Scoreboard()
    pids = [start(board.allocate(), position) for position in range(options.workers)]
    try:
        reader = Reader(board.words)
        spent = [scrape(reader) for _ in range(options.rounds)]
        with_memory = [scrape(Reader(board.words)) for _ in range(options.rounds)]
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    size = len(metrics.text(Reader(board.words).read(details=False)))
    print(f"{options.workers} workers, {size} bytes; milliseconds of CPU, the median and the least:")
    for name, values in (("a scrape", spent), ("with memory", with_memory)):
        print(f"{name}: {median(values):.2f} {min(values):.2f}")


def start(slot: Slot, position: int) -> int:
    """Fork a worker that only waits: its process ID."""
    pid = os.fork()
    if pid == 0:
        signal.pause()
    slot.pid, slot.state, slot.position, slot.threads, slot.busy = pid, "ready", position, THREADS, THREADS
    for index in range(figures.ACCEPTED, figures.CODES):
        slot.words[slot.base + index] = 1000 * index
    for code in (200, 204, 302, 400, 404, 500, 503):
        slot.words[slot.base + figures.CODES + code - 100] = 1000 + code
    slot.words[slot.base + figures.ROWS_USED] = THREADS
    for row in range(THREADS):
        call = slot.base + figures.ROWS + row * figures.CALL_WORDS
        slot.words[call + figures.CALL_NUMBER] = 1
        slot.words[call + figures.CALL_BEGAN] = time.monotonic_ns()
    return pid


def scrape(reader: Reader) -> float:
    """Milliseconds of CPU of one scrape."""
    begun = time.process_time_ns()
    metrics.text(reader.read(details=False))
    return (time.process_time_ns() - begun) / 1e6


if __name__ == "__main__":
    main()
