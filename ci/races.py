"""What ThreadSanitizer reported, each distinct report of our code once; exit code 1 if there is any.

    python ci/races.py FOLDER   # with the log of each process

A report is of our code if one of its two accesses is made by a compiled module, ours or httptools', or by a function of
C's library that it calls. The others are of the interpreter, which has races of its own; they are counted.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

RULE = "\n" + "=" * 18 + "\n"
OURS = re.compile(r"[(/](_compiled|parser|url_parser)\.cpython-\w+[^ ]*\.so")
ACCESS = re.compile(r"^  (Previous )?(atomic )?(read|write) of size|^  (Cycle|Mutex|Signal) |^  #\d", re.IGNORECASE)
FRAME = re.compile(r"^ +#\d+ (?P<function>\S+)(?P<place>.*)$")
DEEP = re.compile(r" +#([89]|\d\d)")
OF_C = re.compile(r"mem\w+|str\w+|\w*alloc|free|p?(read|write)\w*|(send|recv|epoll_|poll)\w*|close|fcntl")


def accesses(report: str) -> list[tuple[str, str]]:
    """Function and place of each access: of its stack the innermost frame that is none of C's library."""
    found = []
    for stack in report.split("\n\n"):
        head, *frames = stack.strip("\n").removeprefix("=" * 18 + "\n").split("\n")
        if head.startswith("WARNING"):
            head, *frames = frames
        if not ACCESS.match(head):
            continue
        known = [match.groups() for frame in frames if (match := FRAME.match(frame))]
        found += [(function, place) for function, place in known if not OF_C.fullmatch(function)][:1]
    return found


def reports(folder: Path) -> list[str]:
    """All reports of the logs in *folder*."""
    texts = "".join("\n" + log.read_text(errors="replace") for log in sorted(folder.iterdir()))
    return [part.strip("\n") for part in texts.split(RULE) if "WARNING: ThreadSanitizer" in part]


def shortened(report: str) -> str:
    """*report* with as many frames of each stack as tell where it is."""
    return "\n".join(line for line in report.split("\n") if not DEEP.match(line))


def main() -> int:
    distinct: dict[tuple[str, ...], list[str]] = {}
    others = 0
    for report in reports(Path(sys.argv[1])):
        touched = accesses(report)
        if touched and not any(OURS.search(place) for _, place in touched):
            others += 1
            continue
        distinct.setdefault(tuple(sorted(function for function, _ in touched)), []).append(report)
    for functions, same in sorted(distinct.items(), key=lambda item: -len(item[1])):
        print(f"{RULE}{len(same)} times: {' and '.join(functions)}\n{shortened(same[0])}")
    print(f"{len(distinct)} distinct reports of our code; {others} of the interpreter's own")
    return 1 if distinct else 0


if __name__ == "__main__":
    sys.exit(main())
