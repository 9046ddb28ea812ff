#!/usr/bin/env python3
"""The stateful test of connections (tests/http/test_stateful.py) for as long as you like.

    ci/stateful.py [--minutes N] [--build c|py]

Runs rounds of long random conversations, in each build or in one. A failure is made small, printed, and ends it with 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.http.test_stateful import machine

ROUND = 200  # conversations
LONG = settings(
    max_examples=ROUND,
    stateful_step_count=100,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="in all (10)")
    parser.add_argument("--build", choices=("c", "py"), help="only this one")
    options = parser.parse_args()
    builds = [options.build] if options.build else ["c", "py"]
    end = time.monotonic() + 60 * options.minutes
    rounds = 0
    while time.monotonic() < end:
        for name in builds:
            run_state_machine_as_test(machine(name), settings=LONG)  # type: ignore[no-untyped-call]
        rounds += 1
    print(f"{rounds * ROUND} conversations of up to 100 events in each of {', '.join(builds)}: as the model says")
    return 0


if __name__ == "__main__":
    sys.exit(main())
