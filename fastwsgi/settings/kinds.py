"""The kinds of value a setting can have, each made by a function."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable

from fastwsgi.http.forwarded import MISLEADING
from fastwsgi.http.peers import Trusted
from fastwsgi.mistakes import WrongValue, nearest
from fastwsgi.observe.formats import read_format
from fastwsgi.originals import os
from fastwsgi.server.addresses import BindError, parse_address, suggest_address
from fastwsgi.settings import cpus
from fastwsgi.settings.kind import Kind, Unfit
from fastwsgi.switch import SWITCH

C_INT_MAX = 2**31 - 1
OFFSET_MAX = 2**63 - 1


def flag() -> Kind[bool]:
    """On or off."""

    def read(value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError("True or False")
        return value

    def parse(text: str) -> bool:
        if text.lower() not in SWITCH:
            raise ValueError("1, true, yes or on, or else 0, false, no or off")
        return SWITCH[text.lower()]

    return Kind(read, show=lambda on: "on" if on else "off", parse=parse)


def count(minimum: int, maximum: int = C_INT_MAX) -> Kind[int]:
    """A whole number from *minimum* to *maximum*."""

    def read(value: object) -> int:
        number = _integer(value)
        if number is None or not minimum <= number <= maximum:
            raise ValueError(f"a whole number from {minimum} to {maximum}")
        return number

    return Kind(read, "N")


def workers() -> Kind[int]:
    """A number of processes; "auto" is the number of CPUs that may be used."""
    number = count(1)

    def read(value: object) -> int:
        if isinstance(value, str) and value.lower() == "auto":
            return cpus.available()
        try:
            return number.read(value)
        except ValueError as error:
            raise ValueError(f"auto or {error}") from None

    return Kind(read, "N", words=("auto",))


def seconds(zero: bool = False) -> Kind[float]:
    """A time in seconds, above 0, or 0 too if *zero*."""

    def read(value: object) -> float:
        number = _real(value)
        if number is None or number < 0 or (number == 0 and not zero):
            raise ValueError(f"a number of seconds, {'0 or more' if zero else 'above 0'}{_without_unit(value)}")
        return number

    return Kind(read, "SECONDS", "{:g}".format)


_UNITS = {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def _without_unit(value: object) -> str:
    """What to write for a number that a unit follows."""
    match = re.fullmatch(r"([0-9]+\.?[0-9]*)\s*([a-z]+)", value.lower()) if isinstance(value, str) else None
    return f", without a unit: {float(match[1]) * _UNITS[match[2]]:g}" if match and match[2] in _UNITS else ""


def size(minimum: int = 0, maximum: int = C_INT_MAX) -> Kind[int]:
    """A number of bytes; as text it may end in K, M or G (times 1024, 1024**2, 1024**3)."""

    def read(value: object) -> int:
        number = _bytes(value)
        if number is None or not minimum <= number <= maximum:
            most = "" if maximum == OFFSET_MAX else f" to {maximum}"
            example = re.fullmatch(r"([0-9]+)\s*([KMG])i?B", value, re.IGNORECASE) if isinstance(value, str) else None
            shown = f"{example[1]}{example[2].upper()}" if example else "8190, 64K or 1G"
            raise ValueError(f"a number of bytes from {minimum}{most or ' up'}, such as {shown}")
        return number

    return Kind(read, "BYTES", _show_bytes)


def choice(*words: str) -> Kind[str]:
    """One of some words."""

    def read(value: object) -> str:
        if not isinstance(value, str) or value.lower() not in spellings:
            raise ValueError(_one_of(words, [value]))
        return spellings[value.lower()]

    spellings = {word.lower(): word for word in words}
    return Kind(read, "{" + ",".join(words) + "}", words=words)


def _one_of(words: Iterable[str], given: Iterable[object]) -> str:
    """The choice of *words*, and which of them was probably meant."""
    *most, last = words
    found = [meant for one in given if isinstance(one, str) and (meant := nearest(one, [*most, last]))]
    return f"{', '.join(most)} or {last}" + (f"; did you mean {found[0]}?" if found else "")


def verification() -> Kind[str]:
    """Whether the other side must show a certificate; also as a number, 0 to 2, as in `ssl`."""
    words = ("none", "optional", "required")
    word = choice(*words)

    def read(value: object) -> str:
        number = _integer(value)
        return words[number] if number is not None and 0 <= number < len(words) else word.read(value)

    return Kind(read, word.metavar, words=words)


def path(completes: str = "file") -> Kind[str | None]:
    """The name of a file, or of a "directory"; None is "not given"."""

    def read(value: object) -> str | None:
        if value is None:
            return None
        found = os.fsdecode(value) if isinstance(value, (str, os.PathLike)) else ""
        if not found or "\0" in found:
            raise ValueError("a path")
        return found

    return Kind(read, "PATH", completes=completes)


def text(metavar: str) -> Kind[str | None]:
    """Text, such as a name, not empty; None is "not given"."""

    def read(value: object) -> str | None:
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise ValueError("text, and not empty")
        return value

    return Kind(read, metavar)


def account(completes: str) -> Kind[str | None]:
    """A "user" or "group" by name or number; None is "not given"."""

    def read(value: object) -> str | None:
        number = _integer(value)
        if number is not None and number >= 0:
            return str(number)
        if value is None or (isinstance(value, str) and re.fullmatch(r"[^\s\0:/-][^\s\0:/]*", value)):
            return value
        raise ValueError("a name or a number")

    return Kind(read, "NAME", completes=completes)


def mode() -> Kind[str | None]:
    """Permission bits as octal text ("022"); an int is taken as it is (0o022); None is "not given"."""

    def read(value: object) -> str | None:
        if value is None:
            return None
        digits = value[2:] if isinstance(value, str) and value[:2] in ("0o", "0O") else value
        number = int(digits, 8) if isinstance(digits, str) and re.fullmatch("[0-7]{1,6}", digits) else value
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= 0o777:
            raise ValueError("permission bits in octal, from 000 to 777, such as 022")
        return f"{number:03o}"

    return Kind(read, "MODE")


def log_setup() -> Kind[str | dict[str, object] | None]:
    """A file that sets up `logging`, or the table for `logging.config.dictConfig` itself; None is "not given"."""
    name = path()

    def read(value: object) -> str | dict[str, object] | None:
        if value is not None and not isinstance(value, (str, os.PathLike, dict)):
            raise ValueError("a path, or a table for logging.config.dictConfig")
        return dict(value) if isinstance(value, dict) else name.read(value)

    return Kind(read, "PATH", lambda value: "(a table)" if isinstance(value, dict) else str(value), completes="file")


def texts(metavar: str, separator: str = "", least: int = 0, completes: str = "") -> Kind[list[str]]:
    """At least *least* strings: a list, or a single string, in which *separator* may divide several.

    In a variable, commas divide them all the same.
    """

    def read(value: object) -> list[str]:
        given = [value] if isinstance(value, str) else value
        if not isinstance(given, (list, tuple)) or not all(isinstance(item, str) for item in given):
            raise ValueError("a string or a list of strings")
        parts = [part.strip() for item in given for part in (item.split(separator) if separator else [item])]
        if "" in parts or len(parts) < least:
            raise ValueError("filled in: it is empty")
        return parts

    show = (separator or " ").join
    return Kind(read, metavar, show, repeatable=True, parse=lambda text: text.split(","), completes=completes)


def addresses() -> Kind[list[str]]:
    """Addresses to listen on, with commas as text, each once."""
    several = texts("ADDRESS", ",", least=1)

    def read(value: object) -> list[str]:
        meant = suggest_address(value)
        if meant and not isinstance(value, str):
            raise Unfit(f"{value!r} is no address as text: write {meant}")
        given = several.read(value)
        for text in given:
            try:
                parse_address(text)
            except BindError as error:
                raise Unfit(str(error)) from None
            if given.count(text) > 1 and not text.endswith(":0"):  # a port of the system's choice is another each time
                raise Unfit(f"{text} is given twice: leave one out")
        return given

    return Kind(read, "ADDRESS", ",".join, repeatable=True, parse=lambda text: text.split(","))


def log_format() -> Kind[str]:
    """The format of the access log, by its name or in gunicorn's atoms."""
    given = text("FORMAT")

    def read(value: object) -> str:
        read_value = given.read(value) or "combined"
        try:
            read_format(read_value)
        except WrongValue as error:
            raise Unfit(f"{value!r}{error.rest}") from None
        return read_value

    return Kind(read, "FORMAT")


def peers(least: int = 0) -> Kind[list[str]]:
    """Addresses and networks, "unix", or "*"; with commas as text."""
    several = texts("PEERS", ",", least)

    def read(value: object) -> list[str]:
        given = [] if value in ("", [""]) and not least else several.read(value)
        for name in given:
            try:
                Trusted([name])
            except ValueError as error:
                raise ValueError(f"addresses, networks, unix or *: {error}") from None
        return given

    return Kind(read, "PEERS", ",".join, repeatable=True)


FORWARDED_HEADERS = (
    *("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix"),
    "forwarded",
)


def forwarded_headers() -> Kind[list[str]]:
    """Names of fields that proxies write: some of the X-Forwarded family, or Forwarded alone."""
    several = texts("NAMES", ",", least=1)

    def read(value: object) -> list[str]:
        names = [name.lower() for name in several.read(value)]
        wrong = [name for name in names if name not in FORWARDED_HEADERS]
        if wrong:
            raise ValueError(f"some of {_one_of(FORWARDED_HEADERS, wrong)}")
        if "forwarded" in names and len(names) > 1:
            raise ValueError("forwarded alone, or others without it: a client could choose which one counts")
        return names

    return Kind(read, "NAMES", ",".join, repeatable=True)


def proxy_protocol() -> Kind[str]:
    """Whether PROXY headers are read; gunicorn's words, which distinguish versions, mean "optional"."""
    words = choice("off", "optional", "required")
    gunicorns = {"v1": "optional", "v2": "optional", "auto": "optional", True: "optional", False: "off"}

    def read(value: object) -> str:
        given = value.lower() if isinstance(value, str) else value
        return words.read(gunicorns.get(given, given) if isinstance(given, (str, bool)) else given)

    return Kind(read, words.metavar, bare="optional", words=words.words)


def assignments() -> Kind[list[str]]:
    """NAME=VALUE for environment variables: a list, one, or a table. Values may be secret and are not shown."""

    def read(value: object) -> list[str]:
        if isinstance(value, dict):
            value = [f"{name}={text}" for name, text in value.items()]
        given = [value] if isinstance(value, str) else value
        if not isinstance(given, (list, tuple)) or not all(_is_assignment(item) for item in given):
            raise ValueError("NAME=VALUE")
        return list(given)

    def parse(text: str) -> list[str]:
        try:
            return shlex.split(text)
        except ValueError:
            raise ValueError("NAME=VALUE, quoted as for a shell") from None

    def show(assignments: list[str]) -> str:
        return " ".join(f"{one.partition('=')[0]}=..." for one in assignments)

    return Kind(read, "NAME=VALUE", show, repeatable=True, parse=parse)


def _is_assignment(value: object) -> bool:
    return isinstance(value, str) and "=" in value[1:] and "\0" not in value


def url_prefix() -> Kind[str]:
    """A path prefix as SCRIPT_NAME holds it (PEP 3333): empty, or "/" and more without a last "/"."""

    def read(value: object) -> str:
        if value == "":
            return ""
        if not isinstance(value, str) or not value.startswith("/") or value.endswith("/"):
            raise ValueError('a path that starts with "/" and does not end with it')
        if not re.fullmatch(r"[\x21-\x7e\xa0-\xff]+", value) or "?" in value or "#" in value:
            raise ValueError('a path without blanks, "?" or "#", in latin-1')
        if MISLEADING.search(value):
            raise ValueError('a path without "//", "\\", and segments "." and ".."')
        return value

    return Kind(read, "PATH")


def field_value() -> Kind[str]:
    """The value of a response field (RFC 9110 5.5): visible ASCII with blanks inside; or empty."""

    def read(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(r"([!-~]([ \t!-~]*[!-~])?)?", value):
            raise ValueError("visible ASCII characters, with blanks only between them, or empty")
        return value

    return Kind(read, "TEXT")


def _integer(value: object) -> int | None:
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"-?[0-9]{1,20}", value) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _real(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


_SUFFIXES = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}


def _bytes(value: object) -> int | None:
    if not isinstance(value, str):
        return _integer(value)
    match = re.fullmatch(r"([0-9]{1,20})([KMG]?)", value.upper())
    return int(match[1]) * _SUFFIXES[match[2]] if match else None


def _show_bytes(value: int) -> str:
    for suffix in "GMK":
        if value and value % _SUFFIXES[suffix] == 0:
            return f"{value // _SUFFIXES[suffix]}{suffix}"
    return str(value)
