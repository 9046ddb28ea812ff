"""What this folder asks of objects that come from elsewhere, or that one build alone has; for type checkers.

The pure twins, `_inbox_py` and so on, are the types of what both builds have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fastwsgi.http._inbox_py import Inbox
    from fastwsgi.http.head import HeadParser


class Scanner(Protocol):
    """The fast way for plain heads, which only the compiled build has."""

    def scan(self, inbox: Inbox, head: HeadParser) -> bool:
        """Take the next head of *inbox*: True with the facts in *head*, or False with nothing taken."""
