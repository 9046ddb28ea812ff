"""Preconditions, ranges and dates, as tables (RFC 9110 5.6.7, 13 and 14)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastwsgi.observe.formats import http_date
from fastwsgi.static.conditions import Validators, part_of, range_of
from fastwsgi.static.dates import read_date

MODIFIED = 784111777
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
OLDER, NEWER = "Sun, 06 Nov 1994 08:49:36 GMT", "Sun, 06 Nov 1994 08:49:38 GMT"
STATE = Validators('"a,b"', False, MODIFIED, True)
WHOLE = (200, 0, 10)


@pytest.mark.parametrize(
    ("text", "date"),
    [
        (DATE, MODIFIED),
        ("Sunday, 06-Nov-94 08:49:37 GMT", MODIFIED),
        ("Sun Nov  6 08:49:37 1994", MODIFIED),
        ("Sun Nov 06 08:49:37 1994", MODIFIED),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Tue, 29 Feb 2000 23:59:59 GMT", 951868799),
        ("Thursday, 01-Jan-70 00:00:00 GMT", 0),
        ("Thursday, 31-Dec-69 00:00:00 GMT", 3155673600),
        *((wrong, None) for wrong in ("", "0", "now", DATE[:-4], DATE + " ", DATE.lower())),
        (DATE.replace("06", "\u0660\u0666"), None),
        *((DATE.replace("08:", wrong), None) for wrong in ("24:", "8:", "-1:")),
        (DATE.replace("06", "32"), None),
        (DATE.replace("06", "00"), None),
    ],
)
def test_dates(text: str, date: int | None) -> None:
    assert read_date(text) == date


@given(st.integers(0, 253402300799))
def test_a_date_is_read_as_it_was_written(date: int) -> None:
    assert read_date(http_date(date)) == date


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, WHOLE),
        ({"IF_NONE_MATCH": '"a,b"'}, 304),
        ({"IF_NONE_MATCH": 'W/"a,b"'}, 304),
        ({"IF_NONE_MATCH": '"x", W/"a,b" , "y"'}, 304),
        ({"IF_NONE_MATCH": "*"}, 304),
        ({"IF_NONE_MATCH": '"a", "b"'}, WHOLE),
        ({"IF_NONE_MATCH": "a,b"}, WHOLE),
        ({"IF_NONE_MATCH": ""}, WHOLE),
        ({"IF_NONE_MATCH": '"' * 8001}, WHOLE),
        ({"IF_MODIFIED_SINCE": DATE}, 304),
        ({"IF_MODIFIED_SINCE": "Sun Nov  6 08:49:37 1994"}, 304),
        ({"IF_MODIFIED_SINCE": OLDER}, WHOLE),
        ({"IF_MODIFIED_SINCE": NEWER}, WHOLE),  # the file went back to an older state
        ({"IF_MODIFIED_SINCE": "yesterday"}, WHOLE),
        ({"IF_NONE_MATCH": '"x"', "IF_MODIFIED_SINCE": DATE}, WHOLE),
        ({"IF_NONE_MATCH": '"a,b"', "IF_MODIFIED_SINCE": OLDER}, 304),
        ({"IF_MATCH": '"a,b"'}, WHOLE),
        ({"IF_MATCH": "*"}, WHOLE),
        ({"IF_MATCH": 'W/"a,b"'}, 412),
        ({"IF_MATCH": '"x"'}, 412),
        ({"IF_MATCH": '"x"', "IF_NONE_MATCH": '"a,b"'}, 412),
        ({"IF_MATCH": '"a,b"', "IF_NONE_MATCH": '"a,b"'}, 304),
        ({"IF_MATCH": '"a,b"', "IF_UNMODIFIED_SINCE": OLDER}, WHOLE),
        ({"IF_UNMODIFIED_SINCE": OLDER}, 412),
        ({"IF_UNMODIFIED_SINCE": DATE}, WHOLE),
        ({"IF_UNMODIFIED_SINCE": NEWER}, WHOLE),
        ({"IF_UNMODIFIED_SINCE": "never"}, WHOLE),
        ({"RANGE": "bytes=2-3"}, (206, 2, 4)),
        ({"RANGE": "bytes=2-3", "IF_RANGE": '"a,b"'}, (206, 2, 4)),
        ({"RANGE": "bytes=2-3", "IF_RANGE": DATE}, (206, 2, 4)),
        ({"RANGE": "bytes=2-3", "IF_RANGE": 'W/"a,b"'}, WHOLE),
        ({"RANGE": "bytes=2-3", "IF_RANGE": '"x"'}, WHOLE),
        ({"RANGE": "bytes=2-3", "IF_RANGE": NEWER}, WHOLE),
        ({"RANGE": "bytes=2-3", "IF_RANGE": "x"}, WHOLE),
        ({"RANGE": "bytes=20-", "IF_RANGE": '"x"'}, WHOLE),
        ({"RANGE": "bytes=20-"}, 416),
        ({"RANGE": "bytes=2-3", "IF_NONE_MATCH": '"a,b"'}, 304),
        ({"RANGE": "bytes=20-", "IF_MATCH": '"x"'}, 412),
        ({"IF_RANGE": '"x"'}, WHOLE),
    ],
)
def test_conditions(fields: dict[str, str], expected: int | tuple[int, int, int]) -> None:
    environ = {"REQUEST_METHOD": "GET", **{f"HTTP_{name}": value for name, value in fields.items()}}
    assert part_of(environ, STATE, 10) == (expected if isinstance(expected, tuple) else (expected, 0, 0))
    if "RANGE" in fields:  # defined for GET alone
        part = part_of({**environ, "REQUEST_METHOD": "HEAD"}, STATE, 10)
        assert part.status == (200 if expected in (416, (206, 2, 4)) else part_of(environ, STATE, 10).status)


def test_what_has_no_date_is_not_compared_by_one() -> None:
    undated = Validators('"x"', False, None, False)
    for name in ("IF_MODIFIED_SINCE", "IF_UNMODIFIED_SINCE"):
        assert part_of({"REQUEST_METHOD": "GET", f"HTTP_{name}": DATE}, undated, 10) == WHOLE
    for state in (undated, STATE._replace(date_is_strong=False)):
        environ = {"REQUEST_METHOD": "GET", "HTTP_RANGE": "bytes=1-2", "HTTP_IF_RANGE": DATE}
        assert part_of(environ, state, 10) == WHOLE


@pytest.mark.parametrize(
    ("asked", "size", "expected"),
    [
        ("bytes=0-0", 10, (206, 0, 1)),
        ("bytes=0-", 10, (206, 0, 10)),
        ("bytes=9-9", 10, (206, 9, 10)),
        ("bytes=9-99999999999999999999999", 10, (206, 9, 10)),
        ("bytes=-1", 10, (206, 9, 10)),
        ("bytes=-99", 10, (206, 0, 10)),
        ("BYTES=1-2", 10, (206, 1, 3)),
        ("bytes= ,1-2\t,, ", 10, (206, 1, 3)),
        ("bytes=001-002", 10, (206, 1, 3)),
        ("bytes=10-", 10, (416, 0, 0)),
        ("bytes=10-10", 10, (416, 0, 0)),
        ("bytes=-0", 10, (416, 0, 0)),
        ("bytes=-0", 0, (416, 0, 0)),
        ("bytes=0-", 0, (416, 0, 0)),
        ("bytes=-5", 0, (200, 0, 0)),
        (f"bytes={'9' * 8000}-", 10, (416, 0, 0)),
        (f"bytes=-{'9' * 8000}", 10, (206, 0, 10)),
        (f"bytes={'0' * 8000}1-", 10, (206, 1, 10)),
        *(
            (f"{malformed}", 10, WHOLE)
            for malformed in (
                *("", "bytes", "bytes=", "bytes=-", "bytes=2-1", "bytes=a-b", "bytes=1", "bytes=1-2-3", "bytes=--1"),
                *("bytes =1-2", "bytes=1 -2", "bytes=1- 2", "bytes=+1-2", "bytes=1-2,3-4", "bytes=0-,-1", "items=0-1"),
                *("bytes=0x0-1", "bytes=1-2;x", "bytes=\u0661-\u0662", " bytes=1-2", "bytes=9-" + "0" * 8000),
            )
        ),
    ],
)
def test_ranges(asked: str, size: int, expected: tuple[int, int, int]) -> None:
    assert range_of(asked, size) == expected


@given(st.text("bytes=-,0123456789 \t", max_size=30), st.integers(0, 20))
def test_no_range_leaves_the_file(asked: str, size: int) -> None:
    for text in (asked, f"bytes={asked}"):
        status, start, end = range_of(text, size)
        assert (status, start, end) in ((200, 0, size), (416, 0, 0)) or (status == 206 and 0 <= start < end <= size)
