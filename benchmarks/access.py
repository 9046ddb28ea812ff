"""What the access log costs: instructions and server CPU time of hello with and without it, side by side in one run.

    python benchmarks/access.py
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from statistics import median

from instructions import measure
from measure import cores
from options import hello, variant

FORMATS = {"hello": None, "access": "combined", "access-json": "json"}  # by profile of instructions.py


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="of the time (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement (default: %(default)s)")
    options = parser.parse_args()
    counted = {profile: measure("c", profile) for profile in FORMATS}
    client, core = cores()
    os.sched_setaffinity(0, {client})
    timed: dict[str, list[float]] = {profile: [] for profile in FORMATS}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        for _ in range(options.rounds):
            for profile, format in FORMATS.items():
                log = ("--access-logfile", f"{folder}/log", "--access-log-format", format) if format else ()
                server = variant(profile, "--threads", "1", *log)
                timed[profile].append(hello(server, core, options.seconds)[0])
    print("| | instructions | of hello | CPU us | of hello (least to most) | least CPU us | of hello |")
    print(f"|{' --- |' * 7}")
    for profile, times in timed.items():
        ratios = sorted(one / first for one, first in zip(times, timed["hello"]))
        share = counted[profile] / counted["hello"]
        spread = f"{median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})"
        least = f"{min(times):.2f} | {min(times) / min(timed['hello']):.3f}"
        print(f"| {profile} | {counted[profile]} | {share:.3f} | {median(times):.2f} | {spread} | {least} |")


if __name__ == "__main__":
    main()
