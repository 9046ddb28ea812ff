"""Options of a command line, and the reading of them: --name VALUE, --name=VALUE, -n VALUE, -nVALUE, and -ab for -a -b.

It reads as argparse does without abbreviations. That one, with gettext and locale, takes 0.8 MB and 9 % of the
instructions of a start, so it only lays out the help (help.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from fastwsgi.mistakes import UsageError
from fastwsgi.records import NamedTuple, record

NEGATIVE_NUMBER = r"-[0-9]+|-[0-9]*\.[0-9]+"


@record(frozen=True)
class Option:
    """An option.

    Attributes:
        flags: its spellings, the short one first.
        name: what it gives.
        nargs: the number of values that it takes: 0, 1 or "?", which is one or none.
        constant: what it gives without a value.
        repeats: whether each adds a value; else the last one counts.
        help: its purpose, in one line; "" is not shown in the help.
        metavar: stands there for its value.
        group: its heading there.
    """

    flags: tuple[str, ...]
    name: str
    nargs: int | str = 0
    constant: object = True
    repeats: bool = False
    help: str = ""
    metavar: str = ""
    group: str = ""


HELP = Option(("-h", "--help"), "help", help="show this help message and exit")


class Given(NamedTuple):
    """A part of a command line: an option with its value, an unknown option, or a word, without *flag*.

    Attributes:
        option: None if there is none.
        flag: as it is spelled.
        value: of the option, or the word.
    """

    option: Option | None
    flag: str
    value: object


def read(argv: Sequence[str], options: Sequence[Option], see_help: str) -> Iterator[Given]:
    """The parts of a command line in their order; what follows -- are words.

    Args:
        argv: the command line.
        options: those that are known.
        see_help: where they are listed, for messages.

    Raises:
        UsageError: an option lacks its value, or has one that it does not take.
    """
    known = {flag: option for option in options for flag in option.flags}
    rest = list(argv)
    while rest:
        token = rest.pop(0)
        if token == "--":
            yield from (Given(None, "", word) for word in rest)
            return
        if _is_word(token, known):
            yield Given(None, "", token)
            continue
        flag, text = _split(token, known)
        option = known.get(flag)
        if option is not None and option.nargs == 0 and text is not None:
            if flag.startswith("--") or f"-{text[:1]}" not in known:
                raise UsageError(f"{flag} takes no value, but got {text!r} ({see_help})")
            rest.insert(0, f"-{text}")
            text = None
        if option is None or option.nargs == 0:
            yield Given(option, flag, option and option.constant)
            continue
        if text is None and rest and _is_word(rest[0], known):
            text = rest.pop(0)
        if text is None and option.nargs == 1:
            raise UsageError(f"{flag} needs a value ({see_help})")
        yield Given(option, flag, option.constant if text is None else text)


def _split(token: str, known: dict[str, Option]) -> tuple[str, str | None]:
    """The option that *token* is, or begins with, and its value if that is in it."""
    flag, equals, value = token.partition("=")
    if token in known or (token.startswith("--") and not equals):
        return token, None
    if flag in known or token.startswith("--"):
        return flag, value
    return (token[:2], token[2:]) if token[:2] in known else (token, None)


def _is_word(token: str, known: dict[str, Option]) -> bool:
    """Whether *token* is no option: so are -, -1 and what has a blank, unless it begins with an option."""
    if not token.startswith("-") or token == "-":
        return True
    if token == "--" or _split(token, known)[0] in known:
        return False
    return " " in token or re.fullmatch(NEGATIVE_NUMBER, token) is not None
