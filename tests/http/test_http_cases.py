"""Runs the cases of http_cases/*.http; helpers/cases.py tells how they read.

Each case runs in three servers (compiled, compiled without the scanner, pure) and in five manners: whole, byte by
byte, line by line, behind another request, and with another request behind it, which must be answered if the connection
stays open and must not if it closes. The outcome is the same in all of them. A refusal (a 4xx or 5xx that the server
gives without asking the application) is held to its form without being told.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from fastwsgi import backend
from tests.conftest import without_compiled
from tests.helpers.case_applications import APPS, App
from tests.helpers.case_player import check, manners
from tests.helpers.cases import Case, all_cases
from tests.helpers.memory import Bench

SERVERS = ("c", "c-noscan", "py")


ALL = all_cases()


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> tuple[SimpleNamespace, bool]:
    """A build, and whether its scanner is on."""
    name, _, option = request.param.partition("-")
    if name == "c" and without_compiled():
        pytest.skip("told to run without the compiled build")
    return backend.build(name), not option


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{theme}: {case.name}") for theme, case in ALL])
def test_case(server: tuple[SimpleNamespace, bool], case: Case) -> None:
    build, scanner = server
    for manner in manners(case):
        app = App(APPS[case.app])
        bench = Bench(build, app, scanner=scanner, **case.settings)
        # The tables of the scanner keep a line at its second sight, so the third time comes from them.
        for _ in range(3 if manner == "whole" else 1):
            try:
                check(case, manner, bench, app)
            except AssertionError as error:
                raise AssertionError(f"sent in the manner {manner!r}: {error}") from error


def test_names_are_unique() -> None:
    names = [(theme, case.name) for theme, case in ALL]
    assert len(set(names)) == len(names)


def test_each_case_says_how_it_ends() -> None:
    assert [case.name for _, case in ALL if not case.outcome or not case.sent] == []
