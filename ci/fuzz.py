#!/usr/bin/env python3
"""Fuzzes what reads bytes of strangers and writes bytes of applications; ci/fuzzing/ holds the targets.

    ci/fuzz.py [TARGET...] [--seconds N | --days N]   coverage-guided by libFuzzer, under sanitizers (60 s in all)
    ci/fuzz.py [TARGET...] --cases N [--seed N]       seeds mutated at random, in the build at hand, without clang
    ci/fuzz.py TARGET --replay FILE...                check inputs that were found

Without a TARGET all take turns. The first form wants clang and its runtime (Debian: clang, libclang-rt-14-dev), and
builds the compiled modules and httptools in build/fuzz, instrumented. The corpus grows in build/fuzz/corpus/TARGET from
run to run; a find is left in build/fuzz/finds as TARGET-..., and becomes a case of tests/. Ends with 1 if there is one.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

TARGETS = ("heads", "chunks", "serializer", "application", "calls", "conversation", "proxies", "files")
DICTIONARY = ROOT / "ci/fuzzing/http.dict"
DAY = 86400  # seconds
ENOUGH = 5  # finds of one target


def words() -> list[bytes]:
    """The words of the dictionary."""
    lines = DICTIONARY.read_text().splitlines()
    quoted = [line[1:-1] for line in lines if line.startswith('"')]
    return [word.encode("latin-1").decode("unicode_escape").encode("latin-1") for word in quoted]


class Mutator:
    """Makes inputs out of *seeds*."""

    def __init__(self, seeds: list[bytes], seed: int) -> None:
        self.seeds = seeds
        self.random = random.Random(seed)
        self.words = words()

    def case(self) -> bytes:
        """A seed with a few changes."""
        chance = self.random
        data = chance.choice(self.seeds)
        while chance.random() < 0.75:
            at = chance.randrange(len(data) + 1)
            taken = chance.choice((0, 0, 1, 1, 2, 8, 40))
            kind = chance.random()
            if kind < 0.4:
                put = chance.randbytes(chance.choice((1, 1, 2, 4)))
            elif kind < 0.6:
                put = chance.choice(self.words)
            else:
                other = chance.choice(self.seeds)
                start = chance.randrange(len(other) + 1)
                put = other[start : start + chance.choice((1, 8, 40, 400))]
            data = data[:at] + put + data[at + taken :]
        return data


def mutate(name: str, cases: int, seed: int) -> int:
    """Check *cases* mutated seeds of a target: the number of finds."""
    target: Any = import_module(f"ci.fuzzing.{name}")
    mutator = Mutator(list(target.seeds()), seed)
    began = time.monotonic()
    finds = 0
    for number in range(cases):
        data = mutator.case()
        if not survives(target, data):
            finds += 1
            print(f"{name}: case {number} of seed {seed}: {data!r}", flush=True)
            if finds == ENOUGH:
                break
    seconds = time.monotonic() - began
    print(f"{name}: {number + 1} cases in {seconds:.0f} s, {finds} finds (seed {seed})", flush=True)
    return finds


def survives(target: Any, data: bytes) -> bool:
    """Check one input; what is wrong goes to stderr."""
    try:
        target.check(data)
    except Exception:
        traceback.print_exc()
        return False
    return True


def replay(name: str, files: list[Path]) -> int:
    """Check the inputs in *files*: the number of those that fail."""
    target: Any = import_module(f"ci.fuzzing.{name}")
    failed = [file for file in files if not survives(target, file.read_bytes())]
    print(f"{name}: {len(files) - len(failed)} right, {len(failed)} wrong")
    return len(failed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=60.0, help="of guided fuzzing, in all (60)")
    parser.add_argument("--days", type=float, default=0.0, help="... in days")
    parser.add_argument("--cases", type=int, help="mutate at random, so many of each target")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="to repeat that")
    parser.add_argument("--replay", type=Path, nargs="+", metavar="FILE", help="check these")
    options = parser.parse_args()
    targets = options.targets or list(TARGETS)
    unknown = set(targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    if options.replay:
        return 1 if replay(targets[0], options.replay) else 0
    if options.cases:
        return 1 if sum(mutate(name, options.cases, options.seed) for name in targets) else 0
    from ci.fuzzing.guided import Guided

    return 1 if Guided(ROOT).run(targets, options.days * DAY or options.seconds) else 0


if __name__ == "__main__":
    sys.exit(main())
