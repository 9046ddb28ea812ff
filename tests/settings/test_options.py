"""Options are read as by getopt and argparse, and refused in our own words."""

from __future__ import annotations

from typing import Any

import pytest

from fastwsgi.mistakes import UsageError
from fastwsgi.settings.options import Option, read

OPTIONS = [
    Option(("-s", "--switch"), "switch"),
    Option(("-o", "--one"), "one", 1),
    Option(("-m", "--many"), "many", 1, repeats=True),
    Option(("-p", "--perhaps"), "perhaps", "?", "bare"),
]


def ours(line: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for option, flag, value in read(line, OPTIONS, "see --help"):
        if option is None and (flag or "words" in found):
            found.setdefault("extra", []).append(flag)
        elif option is not None and option.repeats:
            found.setdefault(option.name, []).append(value)
        else:
            found[option.name if option else "words"] = value
    return found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (("app", "-s"), {"words": "app", "switch": True}),
        (("--one", "a", "-o", "b", "--one=c=d"), {"one": "c=d"}),
        (("--many", "a", "-mb", "-m", "c"), {"many": ["a", "b", "c"]}),
        (("--one=", "-o=x"), {"one": "x"}),
        (("-so", "x"), {"switch": True, "one": "x"}),
        (("-sox",), {"switch": True, "one": "x"}),
        (("-o", "-"), {"one": "-"}),
        (("-o", "-1"), {"one": "-1"}),
        (("-o", "-x y"), {"one": "-x y"}),
        (("-o b",), {"one": " b"}),
        (("-o", ""), {"one": ""}),
        (("-p", "app"), {"perhaps": "app"}),
        (("-p", "-s"), {"perhaps": "bare", "switch": True}),
        (("--perhaps=x", "app"), {"perhaps": "x", "words": "app"}),
        (("--on", "x"), {"extra": ["--on"], "words": "x"}),
        (("-x", "--other=1"), {"extra": ["-x", "--other"]}),
    ],
)  # fmt: skip
def test_lines(line: tuple[str, ...], expected: dict[str, Any]) -> None:
    assert ours(line) == expected


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("--one", "--one needs a value (see --help)"),
        ("-so", "-o needs a value (see --help)"),
        ("-o -s", "-o needs a value (see --help)"),
        ("-o -- x", "-o needs a value (see --help)"),
        ("--switch=1", "--switch takes no value, but got '1' (see --help)"),
        ("-sx", "-s takes no value, but got 'x' (see --help)"),
    ],
)
def test_refusals(line: str, problem: str) -> None:
    with pytest.raises(UsageError) as error:
        ours(tuple(line.split()))
    assert str(error.value) == problem


def test_all_after_two_dashes_are_words() -> None:
    assert [given.value for given in read(["-s", "--", "-s", "--"], OPTIONS, "")] == [True, "-s", "--"]
    assert ours(("--one=--", "-p", "--")) == {"one": "--", "perhaps": "bare"}
