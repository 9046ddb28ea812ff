"""The builds that the tests run in: each test that asks for `build` runs twice, compiled ("c") and pure ("py").

A test fails, and does not skip, when the compiled modules are missing or stale: else a broken build would pass unseen.
Only a process that was told to run pure (FASTWSGI_NO_EXT=1 or FASTWSGI_BACKEND=py) does without.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from fastwsgi import backend
from fastwsgi.status.scoreboard import Scoreboard
from tests.helpers import surroundings
from tests.helpers.memory import Bench
from tests.helpers.pki import Pki
from tests.helpers.site_app import Site

pytest.register_assert_rewrite("tests.helpers.case_player")  # it says what differs
surroundings.settle()


def without_compiled() -> bool:
    """Whether this process was told to do without the compiled build."""
    return os.environ.get("FASTWSGI_NO_EXT") == "1" or os.environ.get("FASTWSGI_BACKEND") == "py"


def both_builds() -> tuple[SimpleNamespace, SimpleNamespace]:
    """The compiled build and the pure one."""
    return backend.build("c"), backend.build("py")


@pytest.fixture(params=["c", "py"])
def build(request: pytest.FixtureRequest) -> SimpleNamespace:
    """The modules of one build, from fastwsgi.backend."""
    if request.param == "c" and without_compiled():
        pytest.skip("told to run without the compiled build")
    return backend.build(request.param)


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Certificates for the tests of TLS."""
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def board() -> Iterator[Scoreboard]:
    """A scoreboard of the test's own."""
    board = Scoreboard()
    yield board
    board.close()


@pytest.fixture
def site() -> Site:
    """The application of the tests of connections."""
    return Site()


@pytest.fixture
def bench(build: SimpleNamespace, site: Site) -> Bench:
    """A server of it, in memory."""
    return Bench(build, site)
