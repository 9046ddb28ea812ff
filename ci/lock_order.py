"""Locks that threads take in both orders, so that two threads may wait for each other for ever; exit code 1 if any are.

    LOCK_ORDER=FOLDER PYTHONPATH=ci/locks PYTHON_GIL=0 FASTWSGI_BACKEND=py python -m pytest -p forget_locks ...
    python ci/lock_order.py FOLDER   # with what each process has noted

Only a wait without a limit counts. Locks that another thread releases are left out: they are signals.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

Orders = dict[tuple[str, str], list[str]]


def read(folder: Path) -> Orders:
    """For each two locks of which the second was taken while the thread had the first, where that was once."""
    orders: Orders = {}
    signals = set()
    for file in sorted(folder.iterdir()):
        for line in file.read_text().splitlines():
            found = json.loads(line)
            if found["kind"] == "signal":
                signals.update(found["sites"])
            else:
                first, second = found["sites"]
                orders.setdefault((first, second), found["stack"])
    return {pair: stack for pair, stack in orders.items() if not signals.intersection(pair)}


def in_circles(orders: Orders) -> Orders:
    """Those of *orders* that are part of a circle."""
    behind = defaultdict(set)
    for first, second in orders:
        behind[first].add(second)

    def leads(start: str, end: str) -> bool:
        seen: set[str] = set()
        ahead = {start}
        while ahead:
            seen |= ahead
            ahead = set().union(*(behind[one] for one in ahead)) - seen
        return end in seen

    return {(first, second): stack for (first, second), stack in orders.items() if leads(second, first)}


def main() -> int:
    folder = Path(sys.argv[1])
    if not any(folder.iterdir()):
        print("no process has noted anything")
        return 1
    orders = read(folder)
    circles = in_circles(orders)
    for (first, second), stack in circles.items():
        print(f"--- {second} is taken while the thread has {first}, here, and somewhere in the other order:")
        print("\n".join(f"  {frame}" for frame in stack))
    print(f"{len(orders)} orders of two locks; {len(circles)} of them also the other way round")
    return 1 if circles else 0


if __name__ == "__main__":
    sys.exit(main())
