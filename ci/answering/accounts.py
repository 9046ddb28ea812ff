"""What the server tells of itself, beside what its clients know: its logs, figures, descriptors and memory."""

from __future__ import annotations

import json
import os
import re
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ci.answering.questions import token
from ci.answering.talking import OPEN, SURE

LOG_FORMAT = "%(U)s %(q)s %(s)s %({x-token}i)s"
LINE = re.compile(rb"/[a-z]+/([0-9]+) q=([0-9a-f]+) ([0-9]{3}) ([0-9a-f]+)\n")
REFUSED = re.compile(rb"\S+ \S* (400|408) \S+\n")  # of a request that was cut
FAILED = re.compile(r"ERROR the application failed \([A-Z]+ /raises/([0-9]+)[?)]")
TROUBLE = re.compile(r"ERROR|CRITICAL|WARNING|internal error|Fatal|AssertionError|SystemError")
EXAMPLES = 3  # that are told of one kind of fault
REST = ("threads_busy", "others_busy", "queued", "streams_waiting")  # of the whole: 0 in the end
WORKER_REST = ("connections", "buffered", "spooled")  # of each worker
CALM = 10.0  # seconds in which figures and descriptors come to rest


def check_log(path: Path, fates: bytearray) -> list[str]:
    """Each request that was answered has one line, one whose fate is open has one at most, and each line is whole."""
    lines = bytearray(len(fates))
    torn, foreign, refused = [], [], 0
    with path.open("rb") as file:
        for line in file:
            found = LINE.fullmatch(line)
            if found is None:
                refused += REFUSED.fullmatch(line) is not None
                torn += [line] if REFUSED.fullmatch(line) is None else []
                continue
            number = int(found[1])
            if number >= len(fates) or not token(number) == int(found[2], 16) == int(found[4], 16):
                foreign.append(line)
            else:
                lines[number] = min(lines[number] + 1, 255)
    missing = [number for number, fate in enumerate(fates) if fate == SURE and not lines[number]]
    twice = [number for number, count in enumerate(lines) if count > 1]
    unasked = [number for number, fate in enumerate(fates) if fate == OPEN and lines[number]]
    print(f"access log: {sum(lines)} lines, and {refused} of requests that were cut", flush=True)
    kinds = {"no line": missing, "two lines": twice, "a line unasked": unasked, "torn": torn, "mixed": foreign}
    return [f"access log: {len(found)} {kind}: {found[:EXAMPLES]}" for kind, found in kinds.items() if found]


def check_errors(lines: Iterable[str], raised: int, maybe: int) -> list[str]:
    """The error log has each failure of the application once, and nothing else that is amiss."""
    failed: Counter[str] = Counter()
    others = []
    for line in lines:
        found = FAILED.search(line)
        if found is not None:
            failed[found[1]] += 1
        elif TROUBLE.search(line):
            others.append(line)
    faults = [f"error log: {len(others)} lines: {others[:EXAMPLES]}"] if others else []
    if not raised <= sum(failed.values()) <= raised + maybe or len(failed) < sum(failed.values()):
        faults.append(f"error log: {sum(failed.values())} failures, {len(failed)} of them different; due {raised}")
    return faults


class Figures:
    """What the status server and the kernel say."""

    def __init__(self, status: str, supervisor: int) -> None:
        self.status = status
        self.supervisor = supervisor

    def read(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.status}/status.json", timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def workers(self) -> list[int]:
        return [int(one["pid"]) for one in self.read()["workers"]]

    def size(self) -> tuple[int, int]:
        """Bytes resident and descriptors of all workers, when those are at rest."""
        before = -1
        end = time.monotonic() + CALM
        while time.monotonic() < end:
            descriptors = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.workers())
            if descriptors == before:
                break
            before = descriptors
            time.sleep(0.2)
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.workers())
        return pages * os.sysconf("SC_PAGE_SIZE"), descriptors

    def check(self, counts: Counter[str]) -> list[str]:
        """The figures agree with what was asked; nothing is left over."""
        end = time.monotonic() + CALM
        while (faults := self.faults(counts)) and time.monotonic() < end:
            time.sleep(0.5)
        return faults

    def faults(self, counts: Counter[str]) -> list[str]:
        found = self.read()
        figures = {
            "requests": found["totals"]["requests"],
            "requests by duration": sum(sum(one["counts"]) for one in found["durations"].values()),
            "requests by waiting": sum(found["queue"]["counts"]),
            **{f"answers {status}": found["codes"].get(status, 0) for status in ("200", "204", "500")},
        }
        faults = []
        for name, figure in figures.items():
            sure, maybe = (counts[f"{kind} {name[8:]}" if "answers" in name else kind] for kind in ("sure", "maybe"))
            if not sure <= figure <= sure + maybe:
                faults.append(f"figures: {name} {figure}, and not from {sure} to {sure + maybe}")
        if found["accepted"] != counts["connections"]:
            faults.append(f"figures: {found['accepted']} connections, and not {counts['connections']}")
        for name in ("received", "sent"):
            least = counts["sure sent" if name == "received" else "sure received"]
            if found[name] < least:
                faults.append(f"figures: {name} {found[name]}, and not {least} or more")
        faults += [f"figures: {name} {found['totals'][name]} at rest" for name in REST if found["totals"][name]]
        for worker in found["workers"]:
            faults += [f"figures: {name} {worker[name]} at rest" for name in WORKER_REST if worker[name]]
        if found["lines_dropped"]:
            faults.append(f"figures: {found['lines_dropped']} lines dropped")
        return faults

