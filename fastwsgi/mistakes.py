"""How a user's mistake is told: one line that says what is wrong and what to do.

The code that finds a mistake raises one of these; the command line prints it and chooses the exit code.
Where the user's own code failed, its traceback comes before the line, without the frames that only
brought us there (ours, and those of the import machinery).
"""

from __future__ import annotations

import difflib
import os
import traceback
import wsgiref
from collections.abc import Iterable


class Mistake(Exception):
    """Something the user has to mend.

    `str()` of it is one line; `details` is the text to show before that line, empty or a traceback that
    ends in a line feed; `exit_code` is what the command returns.
    """

    exit_code = 1

    def __init__(self, line: str, details: str = "") -> None:
        super().__init__(line)
        self.details = details


class UsageError(Mistake):
    """The command line itself is wrong."""

    exit_code = 2


def nearest(word: str, names: Iterable[str]) -> str | None:
    """Return the one of `names` that `word` was probably meant to be, or None."""
    spellings = {name.lower(): name for name in names}
    found = difflib.get_close_matches(word.lower(), spellings, n=1)
    return spellings[found[0]] if found else None


def summary(error: BaseException) -> str:
    """Return `error` in one line: its type and the first line of its message."""
    message = str(error).strip()
    name = type(error).__name__
    return f"{name}: {message.splitlines()[0]}" if message else name


def user_traceback(error: BaseException) -> str:
    """Return the traceback of `error` as text, without the frames of ours and of the import machinery.

    Empty if no frame is left and the error has no place of its own in the user's code (as a SyntaxError has).
    """
    shown = traceback.TracebackException.from_exception(error)
    _drop_machinery(shown)
    if shown.stack:
        return "".join(shown.format())
    return "".join(shown.format_exception_only()) if isinstance(error, SyntaxError) else ""


def _drop_machinery(shown: traceback.TracebackException) -> None:
    """Filter the frames of one exception and of those it came from."""
    link: traceback.TracebackException | None = shown
    while link is not None:
        kept = [frame for frame in link.stack if not _is_machinery(frame.filename)]
        link.stack = traceback.StackSummary.from_list(kept)
        link = link.__cause__ or link.__context__


_CONFIG = os.path.dirname(__file__) + os.sep
_WSGIREF = os.path.dirname(wsgiref.__file__) + os.sep
_IMPORTLIB = os.path.join(os.path.dirname(os.__file__), "importlib") + os.sep


def _is_machinery(filename: str) -> bool:
    return filename.startswith(("<frozen importlib", _IMPORTLIB, _CONFIG, _WSGIREF))
