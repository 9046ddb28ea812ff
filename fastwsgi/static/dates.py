"""Dates as HTTP writes them (RFC 9110 5.6.7): one form is sent, three are understood."""

from __future__ import annotations

import re

from fastwsgi.observe.formats import MONTHS

DAY = 86400
CLOCK = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
MONTH = rf"(?P<month>{'|'.join(MONTHS)})"
FORMS = tuple(
    re.compile(form)
    for form in (
        rf"[A-Z][a-z]{{2}}, (?P<day>[0-9]{{2}}) {MONTH} (?P<year>[0-9]{{4}}) {CLOCK} GMT",
        rf"[A-Z][a-z]{{5,8}}, (?P<day>[0-9]{{2}})-{MONTH}-(?P<year>[0-9]{{2}}) {CLOCK} GMT",  # RFC 850
        rf"[A-Z][a-z]{{2}} {MONTH} (?P<day>[ 0-9][0-9]) {CLOCK} (?P<year>[0-9]{{4}})",  # asctime()
    )
)
CENTURY_ENDS = 70  # a year of two digits below it is one of 2000


def read_date(text: str) -> int | None:
    """The seconds since 1970 of a date; None if *text* is none. The name of the day may be wrong."""
    found = next(filter(None, (form.fullmatch(text) for form in FORMS)), None)
    if found is None:
        return None
    year, day = int(found["year"]), int(found["day"])
    hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"])
    if len(found["year"]) == 2:
        year += 2000 if year < CENTURY_ENDS else 1900
    month = MONTHS.index(found["month"]) + 1
    if not (1 <= day <= 31 and hour < 24 and minute < 60 and second <= 60):  # 60: a leap second
        return None
    return _days(year, month, day) * DAY + hour * 3600 + minute * 60 + second


def _days(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01, in the Gregorian calendar; years begin in March here, so that a leap day is the last."""
    if month <= 2:
        year, month = year - 1, month + 12
    return year * 365 + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719469
