"""The mistakes of users, each with one line that says what is wrong and what to do.

The code that finds a mistake raises one of these exceptions; the command prints it and ends with its exit code. If the
user's own code failed, its traceback comes before the line, without the frames that only led there (ours, and those of
the import machinery).
"""

from __future__ import annotations

import os
import traceback
import wsgiref
from collections.abc import Iterable, Mapping, Sequence


class Mistake(Exception):
    """Something for the user to correct; `str()` of it is one line.

    Attributes:
        details: shown before the line: empty, or a traceback that ends in a line feed.
        exit_code: that of the command.
    """

    exit_code = 1

    def __init__(self, line: str, details: str = "") -> None:
        super().__init__(line)
        self.details = details

    @property
    def each(self) -> list[Mistake]:
        """The single mistakes: this one."""
        return [self]


class UsageError(Mistake):
    """A mistake in an option, a variable or a configuration file, or in what they name."""

    exit_code = 2


class WrongValue(UsageError):
    """A value that one setting cannot have on this machine, such as the path of a file that is not there.

    Attributes:
        flag: the setting's option, which begins the line; told() puts the place there where the value was given.
        rest: the rest of the line.
    """

    def __init__(self, flag: str, rest: str) -> None:
        super().__init__(f"{flag}{'' if rest.startswith(':') else ' '}{rest}")
        self.flag = flag
        self.rest = rest

    def __reduce__(self) -> tuple[type[WrongValue], tuple[str, str]]:
        """For pickle: one that cannot be read again has a multiprocessing.Pool wait for ever."""
        return type(self), (self.flag, self.rest)

    def told(self, origins: Mapping[str, str]) -> WrongValue:
        """The same mistake with the place where the value was given, by its flag in *origins*."""
        return WrongValue(origins.get(self.flag, self.flag), self.rest)


class Mistakes(Mistake):
    """Several mistakes that were found together; the exit code is the highest of theirs."""

    def __init__(self, found: Sequence[Mistake]) -> None:
        super().__init__("; ".join(map(str, found)))
        self._each = list(found)
        self.exit_code = max(one.exit_code for one in found)

    @property
    def each(self) -> list[Mistake]:
        return self._each


class Finding:
    """Collects mistakes: a `with` block of it notes the one that ends the block, and what follows the block goes on."""

    def __init__(self) -> None:
        self.found: list[Mistake] = []

    def add(self, mistake: Mistake) -> None:
        """Note *mistake*, unless the same line is noted already."""
        known = set(map(str, self.found))
        self.found += [one for one in mistake.each if str(one) not in known]

    def __enter__(self) -> Finding:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if not isinstance(error, Mistake):
            return False
        self.add(error)
        return True

    def end(self) -> None:
        """Raise what was found: nothing, a Mistake, or Mistakes."""
        if self.found:
            raise self.found[0] if len(self.found) == 1 else Mistakes(self.found)


def file_mistake(error: OSError) -> Mistake:
    """The mistake for a file that cannot be used. Raises *error* itself if it names no file."""
    if error.filename is None:
        raise error
    return Mistake(f"{error.filename}: {error.strerror}")


def current_directory() -> str:
    """The path of the current directory. Raises Mistake if it has been removed."""
    try:
        return os.getcwd()
    except OSError:
        raise Mistake("the current directory has been removed: change to one that is there") from None


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The one of *names* that *word* was probably meant to be, or None."""
    import difflib

    spellings = {name.lower(): name for name in names}
    found = difflib.get_close_matches(word.lower(), spellings, n=1)
    return spellings[found[0]] if found else None


def summary(error: BaseException) -> str:
    """*error* in one line: its type and the first line of its message."""
    message = str(error).strip()
    name = type(error).__name__
    return f"{name}: {message.splitlines()[0]}" if message else name


def user_traceback(error: BaseException) -> str:
    """The traceback of *error* as text, without our frames and those of the import machinery.

    Empty if no frame is left and the error names no place in the user's code itself, as a SyntaxError does.
    """
    shown = traceback.TracebackException.from_exception(error)
    _drop_machinery(shown)
    if shown.stack:
        return "".join(shown.format())
    return "".join(shown.format_exception_only()) if isinstance(error, SyntaxError) else ""


def _drop_machinery(shown: traceback.TracebackException) -> None:
    """Remove these frames from an exception and from those that caused it."""
    link: traceback.TracebackException | None = shown
    while link is not None:
        kept = [frame for frame in link.stack if not _is_machinery(frame.filename)]
        link.stack = traceback.StackSummary.from_list(kept)
        link = link.__cause__ or link.__context__


_PACKAGE = os.path.dirname(__file__) + os.sep
_WSGIREF = os.path.dirname(wsgiref.__file__) + os.sep
_IMPORTLIB = os.path.join(os.path.dirname(os.__file__), "importlib") + os.sep


def _is_machinery(filename: str) -> bool:
    return filename.startswith(("<frozen importlib", _IMPORTLIB, _PACKAGE, _WSGIREF))
