"""A kind of value that settings can have: how it is read, shown, and completed.

A kind reads a value, given as text (command line) or as a Python object (`fastwsgi.serve`, TOML), into the one
type the server uses. When it cannot, it raises a ValueError whose message completes the sentence "it must be ...", or
Unfit, whose message is a sentence of its own. It also knows how to write its values in the help.
"""

from __future__ import annotations

from typing import Callable, Generic, TypeVar

from fastwsgi.records import record

T = TypeVar("T")


class Unfit(ValueError):
    """A value that cannot be; the message names it."""


@record(frozen=True)
class Kind(Generic[T]):
    """The way to read and show values of one kind.

    Attributes:
        read: gives a value in the type of the setting; raises ValueError.
        metavar: stands for the value in the help, and is its unit if it has one.
        show: writes a value as it may be given.
        repeatable: whether the option may be given several times, each time with more.
        parse: gives what the text of an environment variable stands for; raises ValueError.
        bare: the value of the option without one; None if it needs a value.
        words: the values that there are, if they are few, for the completion of a shell.
        completes: what else a shell completes: "file", "directory", "user" or "group".
    """

    read: Callable[[object], T]
    metavar: str = ""
    show: Callable[[T], str] = str
    repeatable: bool = False
    parse: Callable[[str], object] = str
    bare: T | None = None
    words: tuple[str, ...] = ()
    completes: str = ""
