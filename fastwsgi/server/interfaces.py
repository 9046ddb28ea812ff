"""The interfaces by which server/ knows its neighbours; for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fastwsgi._guard_py import Guard
    from fastwsgi.http._meter_py import Meter
    from fastwsgi.http._turn_py import Turn
    from fastwsgi.http.connection import Connection
    from fastwsgi.http.exchange import Exchange


class TakesTurns(Protocol):
    """What the loop can owe a turn."""

    def on_turn(self) -> None:
        """Do what it asked for a turn for."""


class Served(Protocol):
    """An entry of the loop's table: a Connection, or a Preamble until that can begin.

    on_ready(), on_turn() and on_deadline() may raise LoopLost: another thread has the loop then.
    """

    fd: int
    waits: str

    def on_ready(self) -> None:
        """Handle the event that it waits for."""

    def on_turn(self) -> None:
        """Continue, in a turn that it asked for."""

    def on_deadline(self) -> None:
        """Refuse or close it, as is_late() is true."""

    def wait_for_turn(self) -> None:
        """Ask for a turn after the other connections."""

    def look(self, now: float) -> bool:
        """is_late(), asked once a second, which may put down what was taken for a busy client."""

    def is_late(self, now: float) -> bool:
        """Whether it is past its deadline; *now* is in seconds on the loop's clock."""

    def is_lingering(self) -> bool:
        """Whether its last response is sent, so that a stop need not wait for it."""

    def idle_since(self) -> float:
        """When it became idle, in seconds on the loop's clock; infinity if it is not idle."""

    def excuse(self, seconds: float) -> None:
        """Prolong its deadline, since the loop was held up for *seconds*."""

    def hurry(self, until: float) -> None:
        """Let it stay no longer than *until* if it is idle, since a stop has begun."""

    def burden(self, now: float) -> float:
        """What it holds, times the seconds for which that has not moved; 0 if the loop cannot change it."""

    def relieve(self) -> bool:
        """Have some of what is held wait in a temporary file instead; False if nothing can, or there is no room."""

    def end_for_room(self) -> None:
        """End it, as it holds too much."""

    def drop(self, reset: bool) -> None:
        """End it now; *reset* makes the client notice."""

    def abort(self) -> None:
        """End it now, or as soon as the thread that serves it alone can."""

    def disown(self, has_thread: bool) -> None:
        """In a forked child, leave it to the parent; *has_thread*: its application call has forked."""


class Monitor(Protocol):
    """Notices application calls that do not return, and keeps spare threads waiting for them."""

    @property
    def stuck_call(self) -> int:
        """The number of the last call for which a spare was called."""

    @property
    def calm(self) -> bool:
        """Whether more threads would gain nothing now: calls do not wait, or all time is spent with the GIL."""

    def note_collection(self, phase: str, info: dict[str, int]) -> None:
        """Learn that a garbage collection begins or ends: one of gc.callbacks."""

    def start(self) -> None:
        """Start the thread that looks at the calls."""

    def delay_spare(self, seconds: float) -> None:
        """Call a spare only for calls that have run for *seconds*, instead of two looks."""

    def follow(self, turn: Turn) -> None:
        """Look at the calls of *turn* from now on."""

    def stop(self) -> None:
        """Stop the thread."""

    def wait(self) -> None:
        """Block a spare thread until it is called."""

    def post(self) -> None:
        """Call a spare thread."""

    def yield_gil(self) -> None:
        """Let another thread have the GIL, if one waits for it."""

    def disown(self) -> None:
        """In a forked child, forget the threads, which are not there."""


class SpoolShare(Protocol):
    """Where a worker says how many bytes are in its temporary files, and reads what the others say."""

    spooled: int

    def others_spooled(self) -> int:
        """The sum of the others."""


class Slot(Protocol):
    """The figures of this process, shared with the other processes that accept from the same listeners."""

    spooled: int

    @property
    def memory(self) -> memoryview:
        """Its words."""

    def others_free(self) -> bool:
        """Whether another process has a free thread."""

    def others_spooled(self) -> int:
        """Bytes that the other processes have in temporary files."""


class WatchedLoop(Protocol):
    """The loop, as its watchdog knows it."""

    meter: Meter
    guard: Guard

    def calls(self) -> list[tuple[int, Connection]]:
        """The application calls that run now: for each, the identifier of its thread, and its connection."""

    def keeps_interpreter(self, thread: int) -> bool:
        """Whether *thread* is in a C call for which everybody waits who looks at stacks."""

    def give_up(self, thread: int, connection: Connection, exchange: Exchange) -> bool:
        """Answer 504 and leave the call for *exchange* behind; False if it has just ended."""

    def log_error(self, message: str, error: BaseException | None) -> None:
        """Write an entry of the error log."""
