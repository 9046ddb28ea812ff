"""The scoreboard: what a worker writes, others read."""

from __future__ import annotations

import os
import time

import pytest

from fastwsgi import figures
from fastwsgi.mistakes import WrongValue
from fastwsgi.status.scoreboard import CAPACITY, MOST_WORKERS, Scoreboard, Slot, check_number, nearest_number


def ready(board: Scoreboard, loops: int = 1) -> Slot:
    slot = board.allocate(loops)
    slot.state = "ready"
    return slot


def test_what_one_process_writes_another_reads(board: Scoreboard) -> None:
    slot = board.allocate()
    pid = os.fork()
    if pid == 0:
        slot.state, slot.requests, slot.saturated, slot.heartbeat = "ready", 1 << 40, True, 12.5
        os._exit(0)
    os.waitpid(pid, 0)
    assert (slot.state, slot.requests, slot.saturated, slot.heartbeat) == ("ready", 1 << 40, 1, 12.5)


def test_slots_are_taken_lowest_first_and_clean(board: Scoreboard) -> None:
    first, second = board.allocate(), board.allocate()
    first.requests = second.requests = 7
    first.clear()
    third = board.allocate()
    assert (third.number, third.requests, third.state) == (first.number, 0, "booting")
    assert second.requests == 7


def test_others_are_free_if_one_that_is_alive_and_ready_has_a_thread(board: Scoreboard) -> None:
    mine, other = ready(board), ready(board)
    assert mine.others_free()
    other.saturated = True
    assert not mine.others_free()
    other.saturated = False
    other.heartbeat = time.monotonic() - 5
    assert not mine.others_free()
    other.heartbeat = time.monotonic()
    other.state = "retiring"
    assert not mine.others_free()


def test_temporary_files_of_the_others(board: Scoreboard) -> None:
    first, second, third = (ready(board) for _ in range(3))
    first.spooled, second.spooled, third.spooled = 1, 20, 300
    second.state = "retiring"
    third.state = "none"  # it is dead, and its files with it
    assert (first.others_spooled(), second.others_spooled()) == (20, 1)


def test_the_service_says_that_it_leaves(board: Scoreboard) -> None:
    assert not board.stopping
    board.stopping = True
    assert board.stopping
    assert board.allocate().state == "booting"


def numbers(slot: Slot) -> list[int]:
    return [slot.number, *(one.number for one in slot.followers)]


def test_a_worker_has_a_slot_for_each_loop(board: Scoreboard) -> None:
    first, second = board.allocate(3), board.allocate(2)
    assert (numbers(first), numbers(second)) == ([1, 2, 3], [4, 5])
    assert [one.loop for one in board.slots()] == [0, 1, 2, 0, 1]
    assert [len(one.memory) for one in board.slots()] == [figures.SIZE] * 5


def test_its_slots_are_neighbours_again_after_others_have_ended(board: Scoreboard) -> None:
    first, second, third = board.allocate(2), board.allocate(1), board.allocate(2)
    first.clear()
    assert numbers(board.allocate(3)) == [6, 7, 8]
    assert numbers(board.allocate(2)) == [1, 2]
    second.clear()
    third.clear()
    assert numbers(board.allocate(3)) == [3, 4, 5]


def test_what_is_said_of_a_worker_stands_in_all_its_slots(board: Scoreboard) -> None:
    mine, other = board.allocate(3), board.allocate(2)
    mine.pid, mine.state, mine.generation, mine.position, mine.has_failed = 77, "ready", 4, 2, 1
    mine.heartbeat, mine.started, mine.pulse = 9.5, 3.5, 0.25
    for one in mine.followers:
        assert (one.pid, one.state, one.generation, one.position, one.has_failed) == (77, "ready", 4, 2, 1)
        assert (one.heartbeat, one.started, one.pulse) == (9.5, 3.5, 0.25)
    assert (other.pid, other.state, other.followers[0].state) == (0, "booting", "booting")


def test_what_is_counted_of_a_loop_stands_in_its_own(board: Scoreboard) -> None:
    slot = board.allocate(2)
    slot.queued, slot.followers[0].queued = 3, 4
    assert (slot.queued, slot.total(figures.QUEUED), board.queued()) == (3, 7, 7)
    slot.followers[0].requests = 5
    assert "5 requests, 0 connections, 0 threads busy, 7 wait" in slot.summary()
    slot.clear()
    assert [(one.state, one.queued, one.loop) for one in board.slots()] == [("none", 0, 0)] * 2


def test_another_loop_of_the_same_worker_is_free(board: Scoreboard) -> None:
    mine = ready(board, 2)
    (follower,) = mine.followers
    assert mine.others_free()
    assert follower.others_free()
    follower.saturated = True
    assert not mine.others_free()
    assert follower.others_free()
    mine.saturated = True
    assert not follower.others_free()


def test_temporary_files_are_the_workers_whatever_its_loops(board: Scoreboard) -> None:
    mine, other = ready(board, 2), ready(board, 2)
    mine.spooled, mine.followers[0].spooled, other.spooled = 1, 20, 300
    assert (mine.others_spooled(), other.others_spooled()) == (300, 21)


def test_a_worker_with_several_loops_is_one_that_is_not_loaded(board: Scoreboard) -> None:
    slot = ready(board, 2)
    assert not board.is_not_loaded()
    slot.has_failed = True
    assert board.is_not_loaded()


def test_there_is_room_for_so_many_loops(board: Scoreboard) -> None:
    assert check_number(MOST_WORKERS, 1) == MOST_WORKERS
    assert check_number(63, 8) == nearest_number(70, 8) == 63
    with pytest.raises(WrongValue, match=r"--loops 8: at most 7 in each worker; one for each CPU is usual"):
        check_number(64, 8)
    with pytest.raises(WrongValue, match=r"--workers 512: at most 511"):
        check_number(512, 8)
    board.allocate(CAPACITY - 2)
    with pytest.raises(OSError, match="the scoreboard has no room for it"):
        board.allocate(2)
    assert board.allocate().number == CAPACITY - 1
