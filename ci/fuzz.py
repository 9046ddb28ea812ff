#!/usr/bin/env python3
"""Fuzzes what reads bytes of strangers and writes bytes of applications; ci/fuzzing/ holds the targets.

    ci/fuzz.py [TARGET...] [--seconds N | --days N]   coverage-guided by libFuzzer, under sanitizers (60 s in all)
    ci/fuzz.py [TARGET...] --cases N [--seed N]       seeds mutated at random, in the build at hand, without clang
    ci/fuzz.py [TARGET...] --cases N --threads N      the same on N threads at once, and again on one: alike
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
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from ci.fuzzing.together import at_once, digest
from fastwsgi.gil import HAS_GIL

ROOT = Path(__file__).parents[1]

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


def mutate(name: str, cases: int, seed: int, threads: int = 1) -> int:
    """Check *cases* mutated seeds of a target, on each thread others: the number of finds."""
    target: Any = import_module(f"ci.fuzzing.{name}")
    seeds = list(target.seeds())
    began = time.monotonic()
    rounds = [Round(name, Mutator(seeds, seed + number), cases, seed + number) for number in range(threads)]
    if threads == 1:
        finds = rounds[0].run(target)
    else:
        finds = sum(at_once([partial(one.run, target) for one in rounds]))
        finds += sum(one.differs(Round(name, Mutator(seeds, one.seed), cases, one.seed), target) for one in rounds)
    done = sum(len(one.outcomes) for one in rounds)
    place = "" if threads == 1 else f" on {threads} threads {'with' if HAS_GIL else 'without'} a GIL"
    print(f"{name}: {done} cases{place} in {time.monotonic() - began:.0f} s, {finds} finds (seed {seed})", flush=True)
    return finds


class Round:
    """Cases that one thread checks, and what came out of each."""

    def __init__(self, name: str, mutator: Mutator, cases: int, seed: int) -> None:
        self.name = name
        self.mutator = mutator
        self.cases = cases
        self.seed = seed
        self.outcomes: list[bytes] = []

    def run(self, target: Any) -> int:
        """Check them: the number of finds."""
        finds = 0
        for number in range(self.cases):
            data = self.mutator.case()
            outcome = survives(target, data)
            self.outcomes.append(outcome)
            if not outcome:
                finds += 1
                print(f"{self.name}: case {number} of seed {self.seed}: {data!r}", flush=True)
                if finds == ENOUGH:
                    break
        return finds

    def differs(self, other: Round, target: Any) -> bool:
        """Whether what comes out is not the same again in *other*, which runs alone."""
        other.run(target)
        found = [number for number, pair in enumerate(zip(self.outcomes, other.outcomes)) if pair[0] != pair[1]]
        if found:
            print(f"{self.name}: {len(found)} cases of seed {self.seed} end otherwise alone: {found[:9]}", flush=True)
        return bool(found)


def survives(target: Any, data: bytes) -> bytes:
    """Check one input: what came out, in short, or nothing, and then what is wrong goes to stderr."""
    try:
        return digest(target.check(data))
    except Exception:
        traceback.print_exc()
        return b""


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
    parser.add_argument("--threads", type=int, default=1, help="that mutate at the same time, each so many cases (1)")
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
        return 1 if sum(mutate(name, options.cases, options.seed, options.threads) for name in targets) else 0
    from ci.fuzzing.guided import Guided

    return 1 if Guided(ROOT).run(targets, options.days * DAY or options.seconds) else 0


if __name__ == "__main__":
    sys.exit(main())
