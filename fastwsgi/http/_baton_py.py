"""The baton: which connection's application call runs on the loop's thread; who takes it has the loop.

The specification of _baton_c.pyx. Each thread that gets the loop brings a baton of its own.
"""

from __future__ import annotations

from typing import Any


class Baton:
    """Holds one connection or none; of several who take it at once, one gets it."""

    def __init__(self) -> None:
        self._held: list[Any] = []
        self.lost = False  # its thread came back and found that another had taken it
        self.given_up = False  # the client was answered by the monitor: in C alone, which needs no GIL for it

    def put(self, connection: Any, fd: int) -> None:
        """The call for *connection* begins. *fd* may be written to as it is until begin_head(); -1: it may not."""
        self._held.append(connection)

    def take(self) -> Any:
        """The connection, or None if there is none."""
        try:
            return self._held.pop()  # one bytecode that no other thread can divide
        except IndexError:
            return None

    def begin_head(self) -> bool:
        """The head of the response goes out; False if the client has been answered already."""
        return not self.given_up

    def look(self) -> Any:
        """The connection, which stays where it is, or None."""
        return self._held[-1] if self._held else None

    def holds(self, connection: Any) -> bool:
        """Whether the call for *connection* runs, and nobody has taken the loop from it."""
        return self._held == [connection]
