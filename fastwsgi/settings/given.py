"""A value that the user gave for a setting, and where: what is said about it names that place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Given:
    """A value that was given, still to be read.

    Attributes:
        value: as it was given.
        origin: where: a flag, a variable, a file and its key, or the keyword of a call.
        by_user: False for a default that holds beside a file of gunicorn's.
    """

    value: object
    origin: str
    by_user: bool = True


Layer = dict[str, Given]
"""What one place gives, by the names of the settings ("app" is the application's)."""
