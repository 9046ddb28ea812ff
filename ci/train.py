"""What a build that is optimised by profile trains on: FASTWSGI_PGO=1 runs it (setup.py), with the modules that count.

The profiles of benchmarks/instructions.py are what the server is to be fast at; the cases of tests/http_cases keep
what is seldom asked for from being taken for what never runs. All is in this process, in one thread and by no clock, so
that the counts, and with them the wheel, hardly differ from one build to the next.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # behind the package that counts
sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))

import instructions

from fastwsgi import backend
from tests.helpers.case_applications import APPS, App
from tests.helpers.case_player import check, manners
from tests.helpers.cases import all_cases
from tests.helpers.memory import Bench

ROUNDS = 1000


def play_cases() -> None:
    """Play each case in each of its manners."""
    modules = backend.build("c")
    for _, case in all_cases():
        for manner in manners(case):
            app = App(APPS[case.app])
            check(case, manner, Bench(modules, app, **case.settings), app)


def main() -> None:
    play_cases()
    for profile in instructions.PROFILES:
        instructions.serve("c", profile, ROUNDS, heap=0)


if __name__ == "__main__":
    main()
