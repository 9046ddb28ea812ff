"""Which part of a file a request asks for, if any: preconditions, then one range (RFC 9110 13.2.2 and 14.2).

Validators are compared for equality alone. So a file that goes back to an older state, with an older date, is sent, and
is not taken for one that has not been modified since.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fastwsgi.records import NamedTuple
from fastwsgi.static.dates import read_date

WHOLE = 200
PART = 206
NOT_MODIFIED = 304
FAILED = 412
OUTSIDE = 416

ENTITY_TAG = re.compile(r'(W/)?("[^"]*")')
# One range-spec; the list that it is in may have empty elements (RFC 9110 5.6.1.2)
ONE_RANGE = re.compile(r"[ \t,]*(?:([0-9]+)-([0-9]*)|-([0-9]+))[ \t,]*")
UNIT = "bytes="
DIGITS = 18  # a number with more of them lies beyond the end of any file

CONDITIONAL = (
    *("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_RANGE"),
    *("HTTP_IF_MATCH", "HTTP_IF_UNMODIFIED_SINCE"),
)
"""The fields without which all of a file is asked for."""


class Validators(NamedTuple):
    """What tells one state of a file from another.

    Attributes:
        etag: an entity tag, with its quotes and without W/.
        is_weak: whether it may be that of several states.
        modified: seconds since 1970; None: not known.
        date_is_strong: whether that second was over when the file was looked at, so that it names one state only.
    """

    etag: str
    is_weak: bool
    modified: int | None
    date_is_strong: bool


class Part(NamedTuple):
    """The answer: a status, and the bytes from *start* up to *end* for WHOLE and PART."""

    status: int
    start: int
    end: int


def part_of(environ: Mapping[str, Any], validators: Validators, size: int) -> Part:
    """What to send of a file of *size* bytes for a GET or HEAD with the fields in *environ*."""
    status = precondition(environ, validators)
    asked = environ.get("HTTP_RANGE")
    if status != WHOLE:
        return Part(status, 0, 0)
    if asked is None or environ["REQUEST_METHOD"] != "GET" or not if_range(environ, validators):
        return Part(WHOLE, 0, size)
    return range_of(asked, size)


def precondition(environ: Mapping[str, Any], validators: Validators) -> int:
    """WHOLE, NOT_MODIFIED or FAILED, in the order of RFC 9110 13.2.2."""
    match, since = environ.get("HTTP_IF_MATCH"), environ.get("HTTP_IF_UNMODIFIED_SINCE")
    if match is not None:
        if not _names(match, validators, strongly=True):
            return FAILED
    elif since is not None and validators.modified is not None:
        date = read_date(since)
        if date is not None and date < validators.modified:
            return FAILED
    none_match, since = environ.get("HTTP_IF_NONE_MATCH"), environ.get("HTTP_IF_MODIFIED_SINCE")
    if none_match is not None:
        return NOT_MODIFIED if _names(none_match, validators, strongly=False) else WHOLE
    if since is not None and validators.modified is not None and read_date(since) == validators.modified:
        return NOT_MODIFIED
    return WHOLE


def if_range(environ: Mapping[str, Any], validators: Validators) -> bool:
    """Whether Range may be obeyed: If-Range names just this state, or is absent (RFC 9110 13.1.5)."""
    value = environ.get("HTTP_IF_RANGE")
    if value is None:
        return True
    if '"' in value:
        return bool(value == validators.etag) and not validators.is_weak
    date = read_date(value)
    return date is not None and date == validators.modified and validators.date_is_strong


def range_of(asked: str, size: int) -> Part:
    """The range that *asked*, the value of Range, means: WHOLE where it is malformed, or there are several."""
    found = ONE_RANGE.fullmatch(asked, len(UNIT)) if asked[: len(UNIT)].lower() == UNIT else None
    if found is None:
        return Part(WHOLE, 0, size)
    first, last, suffix = found.groups()
    if suffix is not None:
        length = _number(suffix, size)
        if size == 0 and length == 0 and suffix.strip("0"):
            return Part(WHOLE, 0, 0)  # the last bytes of nothing: satisfied, but no Content-Range can say so
        return Part(PART, size - length, size) if length else Part(OUTSIDE, 0, 0)
    if last and _number(last) < _number(first):
        return Part(WHOLE, 0, size)  # malformed (RFC 9110 14.1.2)
    start = _number(first)
    if start >= size:
        return Part(OUTSIDE, 0, 0)
    return Part(PART, start, min(_number(last) + 1, size) if last else size)


def _number(digits: str, most: int = 10**DIGITS) -> int:
    """The number, or *most* if that is smaller."""
    plain = digits.lstrip("0")
    return min(int(plain or "0"), most) if len(plain) <= DIGITS else most


def _names(value: str, validators: Validators, strongly: bool) -> bool:
    """Whether the entity tags of *value*, or its "*", include that of this state (RFC 9110 8.8.3.2)."""
    etag, weak_here = validators.etag, validators.is_weak
    if value == "*":
        return True
    return any(tag == etag and not (strongly and (weak or weak_here)) for weak, tag in ENTITY_TAG.findall(value))
