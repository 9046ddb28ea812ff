"""The scoreboard: what a worker writes, others read."""

from __future__ import annotations

import os
import time

from fastwsgi.status.scoreboard import Scoreboard, Slot


def ready(board: Scoreboard) -> Slot:
    slot = board.allocate()
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
