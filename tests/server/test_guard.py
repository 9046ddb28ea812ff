"""The guard of a loop: one thread at a time has it, where threads run at once."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi._guard_py import Guard
from fastwsgi.gil import HAS_GIL
from tests.helpers.serving import PATIENCE


@pytest.fixture
def guard(build: SimpleNamespace) -> Any:
    if build.name == "py":
        return Guard(is_needed=True)
    if HAS_GIL:
        pytest.skip("it is nothing where there is a GIL")
    return build.guard.Guard()


def in_thread(called: Any) -> Any:
    """What *called* returns in another thread, which ends then."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(called()))
    thread.start()
    thread.join(PATIENCE)
    return found[0]


def test_another_thread_gets_it_when_it_is_given_up(guard: Any) -> None:
    order: list[str] = []

    def wait() -> None:
        with guard.held():
            order.append("other")

    with guard.held():
        thread = threading.Thread(target=wait)
        thread.start()
        assert not in_thread(guard.try_to_take)
        order.append("this")
        with guard.given_up():
            thread.join(PATIENCE)
        assert not in_thread(guard.try_to_take)
    assert order == ["this", "other"]


def test_who_has_it_may_ask_again(guard: Any) -> None:
    assert not guard.is_ours()
    with guard.held():
        assert guard.is_ours()
        assert not in_thread(guard.is_ours)
        with guard.held():
            assert not guard.try_to_take()
        assert not in_thread(guard.try_to_take)
    assert guard.try_to_take()
    assert guard.let_go()
    assert not guard.let_go()


def test_who_does_not_have_it_has_nothing_to_give_up(guard: Any) -> None:
    with guard.given_up():
        pass
    assert in_thread(lambda: guard.try_to_take() and guard.let_go())


def test_a_child_begins_anew(guard: Any) -> None:
    in_thread(guard.try_to_take)  # and that thread is not there any more
    assert not guard.try_to_take()
    guard.renew()
    assert guard.try_to_take()


def test_it_is_nothing_where_there_is_a_gil(build: SimpleNamespace) -> None:
    if not HAS_GIL:
        pytest.skip("there is none")
    guard = build.guard.Guard()
    with guard.held():
        assert in_thread(guard.try_to_take)
