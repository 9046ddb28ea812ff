"""The last events of the service: a bounded list, in which no flood of one kind hides the others."""

from __future__ import annotations

from collections import Counter

from fastwsgi.status.snapshot import Event

MOST = 100  # events
MOST_TEXT = 1024  # characters
MOST_DETAILS = 8192


def add(events: list[Event], event: Event) -> None:
    """Add *event* at the end; if there are too many, the oldest of the kind that has most goes."""
    events.append(event)
    if len(events) > MOST:
        commonest = Counter(one.kind for one in events).most_common(1)[0][0]
        events.remove(next(one for one in events if one.kind == commonest))
