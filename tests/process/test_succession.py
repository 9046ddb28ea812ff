"""Which of several supervisors answers at the status address."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator

import pytest

from fastwsgi.process.succession import HANDED_OVER, Succession


class Line:
    """Supervisors, each started by the one before it, here in one process."""

    def __init__(self) -> None:
        self.members = [Succession()]
        self.pollers = [select.poll()]

    def add(self, starter: int = -1) -> Succession:
        """Another one, started by the member numbered *starter*."""
        before, poller = self.members[starter], self.pollers[starter]
        before.begin()
        before.hand_over()
        handed = [os.dup(int(fd)) for fd in os.environ[HANDED_OVER].split()]
        os.environ[HANDED_OVER] = " ".join(map(str, handed))
        before.watch(poller)
        self.members.append(Succession())
        self.pollers.append(select.poll())
        return self.members[-1]

    def yielded(self) -> list[bool]:
        """Which of them are silent."""
        for member, poller in zip(self.members, self.pollers):
            for _ in range(2):
                member.read({fd for fd, _ in poller.poll(0)})
        return [member.has_yielded for member in self.members]


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    for member in made.members:
        member.disown()


def test_the_newest_that_is_ready_answers(line: Line) -> None:
    second = line.add()
    assert line.yielded() == [False, False]
    second.announce()
    assert line.yielded() == [True, False]
    third = line.add()
    third.announce()
    assert line.yielded() == [True, True, False]
    line.members.remove(third)
    third.disown()
    assert line.yielded() == [True, False]
    line.members.remove(second)
    second.disown()
    assert line.yielded() == [False]


def test_the_first_is_silent_while_the_third_lives(line: Line) -> None:
    second = line.add()
    second.announce()
    third = line.add()
    third.announce()
    assert line.yielded() == [True, True, False]
    line.members.remove(second)
    del line.pollers[1]
    second.disown()
    assert line.yielded() == [True, False]
    fourth = line.add(0)  # of the third the first hears no more
    assert line.yielded() == [True, False, False]
    fourth.announce()
    line.members.remove(fourth)
    fourth.disown()
    assert line.yielded() == [False, False]
