"""Whether the service should get more requests: what each readiness probe is told, wherever it asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastwsgi.status.scoreboard import Scoreboard


def obstacle(board: Scoreboard, ready_queue: int) -> str:
    """Why the service should get no more requests, in a few words; "" if it should.

    Args:
        ready_queue: how many requests may wait for a thread, in all workers together; 0: any number.
    """
    if board.stopping:
        return "stopping"
    if board.is_not_loaded():
        return "the application cannot be loaded"
    if ready_queue and (waiting := board.queued()) > ready_queue:
        return f"{waiting} requests wait"
    return ""
