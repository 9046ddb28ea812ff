"""Figures and strangers' text on a terminal."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from fastwsgi.status.escapes import ascii_text
from fastwsgi.status.terminal_text import age, count, percent, rate, seconds, size

CASES: list[tuple[Callable[[Any], str], dict[Any, str]]] = [
    (count, {0: "0", 5: "5", 999: "999", 1234: "1.2k", 34_000: "34k", 999_500: "1.0M", 3.4e6: "3.4M"}),
    (size, {0: "0", 512: "512", 1024: "1.0K", 34 << 20: "34M", 3 << 30: "3.0G"}),
    (rate, {None: "-", 0: "0", 0.004: "<0.01", 0.03: "0.03", 4.23: "4.2", 182.3: "182", 1234: "1.2k"}),
    (percent, {None: "-", 0: "0", 0.0001: "<0.1", 0.004: "0.4", 0.0996: "10", 0.37: "37", 1: "100", 2.5: "250"}),
    (seconds, {None: "-", 0: "0.000", 0.012: "0.012", 1.254: "1.25", 61: "1m01", 277_200: "3d05h"}),
    (age, {0: "0s", 59.9: "59s", 187: "3m07", 7500: "2h05", 273_600: "3d04h", 11_059_200: "128d"}),
]


@pytest.mark.parametrize(("function", "expected"), CASES, ids=lambda one: getattr(one, "__name__", ""))
def test_figures(function: Callable[[Any], str], expected: dict[Any, str]) -> None:
    assert {number: function(number) for number in expected} == expected


def test_strangers_text_commands_no_terminal() -> None:
    assert ascii_text("a\x1b[31m\x7f\x9b\u202e\xe9\n\ud800~") == r"a\x1b[31m\x7f\x9b\u202e\xe9\n\ud800~"
    assert ascii_text("one\n\ttwo\n", keeps_lines=True) == "one\n\\ttwo\n"
