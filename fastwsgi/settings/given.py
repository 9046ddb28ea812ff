"""A value that the user gave for a setting, and the place where: messages about the value name that place."""

from __future__ import annotations

from fastwsgi.records import record


@record(frozen=True)
class Given:
    """A value that was given, still to be read.

    Attributes:
        value: as it was given.
        origin: the place: a flag, a variable, a file and its key, or the keyword of a call.
        by_user: False for a default that applies with a file of gunicorn's.
    """

    value: object
    origin: str
    by_user: bool = True


Layer = dict[str, Given]
"""The values from one place, by the names of the settings ("app" is the application's)."""
