#!/usr/bin/env python3
"""The stateful test of connections (tests/http/test_stateful.py) for as long as you like.

    ci/stateful.py [--minutes N] [--build c|py] [--threads N]

Runs rounds of long random conversations, in each build or in one, or on several threads at once, each with a loop of
its own. A failure is made small, printed, and ends it with 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from ci.fuzzing.together import at_once
from tests.http.test_stateful import machine

ROUND = 200  # conversations
SELDOM = 0.005  # seconds: Python 3.11 stumbles over threads that change places in ast.parse(), which hypothesis calls
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
    parser.add_argument("--threads", type=int, default=1, help="that converse at the same time (1)")
    options = parser.parse_args()
    builds = [options.build] if options.build else ["c", "py"]
    end = time.monotonic() + 60 * options.minutes
    rounds = 0
    while time.monotonic() < end:
        for name in builds:
            conversing = partial(run_state_machine_as_test, machine(name), settings=LONG)
            at_once([conversing] * options.threads, SELDOM)
        rounds += options.threads
    print(f"{rounds * ROUND} conversations of up to 100 events in each of {', '.join(builds)}: as the model says")
    return 0


if __name__ == "__main__":
    sys.exit(main())
