#!/usr/bin/env python3
"""Looks for request heads about which the scanner, the compiled parser and the pure parser do not say the same.

    ci/fuzz_heads.py [--seconds N | --days N] [--cases N] [--seed N]

Heads are made of good and odd pieces or taken from tests/http_cases, then broken a little; some are bytes at random.
Each is read by the pure and the compiled parser; what the scanner takes is read by it too. Whatever was accepted is
also cut somewhere, since no beginning of a good head may be refused. Prints the seed, the rate, how the heads fared and
each difference with its input; ends with 1 if there is one.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ci.fuzzing.comparison import Comparison
from ci.fuzzing.samples import messages
from tests.helpers import heads
from tests.helpers.heads import CONFIGURATIONS

ENOUGH = 20  # differences
BATCH = 1000  # cases between two looks at the clock


class Generator:
    """Makes heads. Faster than it is fair: every choice takes one random number.

    Args:
        seed: of the random numbers.
    """

    def __init__(self, seed: int) -> None:
        numbers = random.Random(seed)
        self.random, self.randbytes = numbers.random, numbers.randbytes
        self.lines = [b"%b: %b\r\n" % (name, value) for name in heads.NAMES for value in heads.VALUES]
        self.plain = [line for line in self.lines if not line.lower().startswith(heads.TELLING)]
        self.hosts = [b"Host: h\r\n", b"host: www.example.org:80\r\n", b"Host:\t127.0.0.1 \r\n", b"HOST: [::1]\r\n"]
        self.samples = messages()
        alphabet = b"\r\n\r\n\t :;,./-_%GETHOSThostx019\x80\0"
        self.familiar = bytes(alphabet[byte % len(alphabet)] for byte in range(256))

    def pick(self, things: Sequence[Any]) -> Any:
        return things[int(self.random() * len(things))]

    def mostly(self, good: Sequence[bytes], odd: Sequence[bytes]) -> bytes:
        chosen: bytes = self.pick(good if self.random() < 0.95 else odd)
        return chosen

    def head(self) -> bytes:
        """One head, most likely sound, and a few bytes behind it."""
        chance = self.random
        line = b"%b %b %b" % (
            self.mostly(heads.METHODS, heads.ODD_METHODS),
            self.mostly(heads.TARGETS, heads.ODD_TARGETS),
            self.mostly(heads.VERSIONS, heads.ODD_VERSIONS),
        )
        parts = [line, b"\r\n"]
        if chance() < 0.95:
            parts.append(self.pick(self.hosts))
        for _ in range(int(chance() * 6)):
            kind = chance()
            parts.append(self.pick(self.plain if kind < 0.7 else self.lines) if kind < 0.85 else self.odd_line())
        parts.append(b"\r\n" if chance() < 0.98 else self.pick(heads.ENDS))
        if chance() < 0.3:
            parts.append(self.pick([b"body", b"GET / HTTP/1.1\r\n\r\n", b"\r\n", b"\n"]))
        return b"".join(parts)

    def odd_line(self) -> bytes:
        """A field line of which a part may be out of order."""
        name = self.mostly(heads.NAMES, heads.ODD_NAMES)
        value = self.pick(heads.VALUES) if self.random() < 0.5 else b"%x" % int(self.random() * 2**40)
        before, behind = self.pick(heads.BLANKS), self.pick(heads.BLANKS)
        return b"".join([name, b":", before, value, behind, self.mostly([b"\r\n"], heads.ENDS)])

    def broken(self, raw: bytes) -> bytes:
        """*raw* with something put in, taken out, said twice or changed."""
        at = int(self.random() * len(raw))
        if not raw:
            return b"\0"
        kind = int(self.random() * 5)
        if kind == 0:
            return raw[:at] + self.pick(heads.SPLINTERS) + raw[at:]
        if kind == 1:
            return raw[:at] + raw[at + 1 + int(self.random() * 3) :]
        if kind == 2:
            return raw[:at] + bytes((int(self.random() * 256),)) + raw[at + 1 :]
        if kind == 3:
            return raw[: at + 12] + raw[at:]
        return raw[:at] + bytes((raw[at] ^ 0x20,)) + raw[at + 1 :]

    def noise(self) -> bytes:
        """Any bytes, or any of those that heads are made of."""
        raw = self.randbytes(int(self.random() * 60))
        if self.random() < 0.5:
            raw = raw.translate(self.familiar)
        return self.pick([b"", b"GET / HTTP/1.1\r\nHost: h\r\n"]) + raw + self.pick([b"", b"\r\n\r\n"])

    def case(self) -> bytes:
        """Any bytes; most have something of a head."""
        kind = self.random()
        raw = self.head() if kind < 0.8 else self.pick(self.samples) if kind < 0.9 else self.noise()
        while self.random() < 0.3:
            raw = self.broken(raw)
        if self.random() < 0.02:
            raw = b"\r\n" * int(self.random() * 7) + raw
        return raw


def fuzz(seed: int, cases: int, seconds: float, say: Callable[[str], None] = print) -> int:
    """Compare until *cases* or *seconds* are over: the number of differences found."""
    generator = Generator(seed)
    comparisons = [Comparison(**settings) for settings in CONFIGURATIONS]
    began = time.monotonic()
    done = found = 0
    while done < cases and found < ENOUGH and time.monotonic() - began < seconds:
        for _ in range(min(BATCH, cases - done)):
            raw = generator.case()
            number = int(generator.random() * len(comparisons))
            difference = comparisons[number].check(raw, generator.random())
            if difference:
                found += 1
                say(f"DIFFERENCE with {CONFIGURATIONS[number]}: {raw!r}\n  {difference}")
            done += 1
    fates: Counter[str] = sum((one.fates for one in comparisons), Counter())
    rate = done / (time.monotonic() - began)
    shares = ", ".join(f"{fate} {100 * count / done:.0f} %" for fate, count in fates.most_common())
    say(f"{done} heads, {rate:.0f} a second: {shares}; {found} differences (seed {seed})")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="stop after this time (60)")
    parser.add_argument("--days", type=float, default=0.0, help="... in days")
    parser.add_argument("--cases", type=int, default=10**9, help="stop after so many heads (no bound)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="to repeat a run")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    return 1 if fuzz(options.seed, options.cases, options.days * 86400 or options.seconds) else 0


if __name__ == "__main__":
    sys.exit(main())
