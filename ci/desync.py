"""Hostile conversations through real proxies: does each agree with our server on where requests and responses end?

    python ci/desync.py                      all of them through all proxies, some two minutes
    python ci/desync.py "nginx tcp" ...      through some
    python ci/desync.py --build py           with the pure build
    python ci/desync.py --threads 4          with so many threads in each server
    python ci/desync.py --list               the proxies and the conversations

nginx and haproxy have to be installed. What is sent and what must hold is told in tests/helpers/hostile.py. The exit
code is 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fastwsgi import backend  # noqa: E402
from tests.helpers.hostile import LANES, conversations, judge_all  # noqa: E402


def main() -> int:
    """Run, print the table, and what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lanes", nargs="*", metavar="PROXY", help=f"some of: {', '.join(LANES)}")
    parser.add_argument("--build", choices=["c", "py"], default=backend.NAME)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="list, and run nothing")
    arguments = parser.parse_args()
    unknown = set(arguments.lanes) - set(LANES)
    if unknown:
        parser.error(f"no such proxy: {', '.join(sorted(unknown))}")
    chosen = conversations()
    if arguments.list:
        print("\n".join([*LANES, *(f"{source}: {name}" for source, found in chosen.items() for name, _ in found)]))
        return 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        build = backend.build(arguments.build)
        found = judge_all(build, Path(folder), arguments.lanes or LANES, chosen, arguments.threads)
    print(f"{'':20}{'conversations':>15}{'requests':>10}{'connections':>13}{'wrong':>7}")
    for name, verdicts in found.items():
        print(
            f"{name:20}{verdicts.held:>15}{verdicts.requests:>10}{verdicts.connections:>13}{len(verdicts.wrong):>7}"
        )
    wrong = [f"{name}: {line}" for name, verdicts in found.items() for line in verdicts.wrong]
    print(f"{time.monotonic() - began:.0f} s, {arguments.build} build, threads: {arguments.threads}", *wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
