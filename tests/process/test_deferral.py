"""What there is when the application is loaded is freed by a collection, where several loops use it."""

from __future__ import annotations

import gc
import sys
import weakref
from pathlib import Path
from typing import Any

import pytest

from fastwsgi import backend
from fastwsgi.gil import HAS_GIL
from fastwsgi.process.deferral import defer_counts
from tests.conftest import without_compiled
from tests.helpers.deployments import deployed

CAN_DEFER = not HAS_GIL and sys.version_info >= (3, 14)
SITE = """
import gc, weakref

class Thing:
    pass

thing = Thing()
seen = weakref.ref(thing)

def app(environ, start_response):
    global thing
    if environ["PATH_INFO"] == "/drop":
        thing = None
    if environ["PATH_INFO"] == "/collect":
        gc.collect()
    start_response("200 OK", [])
    return [b"gone" if seen() is None else b"there"]
"""


class Thing:
    """Something that the garbage collector knows."""


@pytest.mark.skipif(without_compiled(), reason="told to run without the compiled build")
def test_objects_with_deferred_counts_go_with_the_next_collection() -> None:
    deferral: Any = backend.build("c").deferral
    thing: Any = Thing()
    seen = weakref.ref(thing)
    assert deferral.defer_counts([thing, "text", 5]) == int(CAN_DEFER)
    del thing
    assert (seen() is None) is not CAN_DEFER
    gc.collect()
    assert seen() is None


def test_in_the_pure_build_nothing_changes() -> None:
    assert defer_counts(backend.build("py")) == 0


@pytest.mark.skipif(HAS_GIL, reason="with a GIL there is one loop")
@pytest.mark.parametrize("preload", [False, True])
@pytest.mark.parametrize(("build", "loops"), [("c", 2), ("c", 1), ("py", 2)])
def test_what_the_application_drops_goes_with_the_next_collection(
    tmp_path: Path, build: str, loops: int, preload: bool
) -> None:
    with deployed(tmp_path, build, SITE, threads=2, loops=loops, preload=preload) as server:
        assert server.ask() == b"there"
        dropped = server.ask("/drop")
        assert not (CAN_DEFER and build == "c" and loops == 2 and not preload) or dropped == b"there"
        assert server.ask("/collect") == b"gone"
