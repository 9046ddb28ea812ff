"""What server/ asks of its neighbours, which it knows by these interfaces alone. For the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fastwsgi.http._turn_py import Turn
    from fastwsgi.http.connection import Connection
    from fastwsgi.http.exchange import Exchange


class Served(Protocol):
    """What the loop has in its table: a Connection, or a Preamble until that can begin.

    on_ready(), on_turn() and on_deadline() may raise LoopLost: another thread has the loop now.
    """

    fd: int
    waits: str

    def on_ready(self) -> None:
        """What it waited for is there."""

    def on_turn(self) -> None:
        """It is its turn again."""

    def on_deadline(self) -> None:
        """Its time is over: is_late() says so."""

    def wait_for_turn(self) -> None:
        """Go on after the others."""

    def is_late(self, now: float) -> bool:
        """Whether its time is over; *now* is in seconds on the loop's clock."""

    def is_lingering(self) -> bool:
        """Whether its last response is out, so that nothing is left to be waited for."""

    def idle_since(self) -> float:
        """When it became idle, in seconds on the loop's clock; infinity if it is not."""

    def excuse(self, seconds: float) -> None:
        """The loop was held up for so long."""

    def hurry(self, until: float) -> None:
        """A stop has begun: if it is idle, it may stay until then."""

    def drop(self, reset: bool) -> None:
        """End it now; with *reset* so that the client sees it."""

    def abort(self) -> None:
        """End it now, or as soon as the thread that serves it can."""


class Monitor(Protocol):
    """Sees application calls that do not return, and has spare threads wait for them."""

    @property
    def stuck(self) -> int:
        """The number of the call that a spare was called for last."""

    def start(self) -> None:
        """Begin to look."""

    def follow(self, turn: Turn) -> None:
        """The calls of *turn* are looked at from now on."""

    def stop(self) -> None:
        """Look no more."""

    def wait(self) -> None:
        """Block a spare thread until it is called."""

    def post(self) -> None:
        """Call a spare thread."""

    def give_way(self) -> None:
        """Let another thread have the GIL, if one waits for it."""


class Slot(Protocol):
    """What this process tells the others that accept from the same listeners."""

    requests: int
    connections: int
    busy: int
    queued: int
    saturated: int

    def others_free(self) -> bool:
        """Whether another process has a thread free."""


class WatchedLoop(Protocol):
    """The loop, as its watchdog knows it."""

    def calls(self) -> list[tuple[int, Connection]]:
        """The application calls that run: the thread's identifier and the connection of each."""

    def give_up(self, thread: int, connection: Connection, exchange: Exchange) -> bool:
        """Answer 504 and go on without the call for *exchange*; False if it has just ended."""

    def log_error(self, message: str, error: BaseException | None) -> None:
        """An entry of the error log."""
