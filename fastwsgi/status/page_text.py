"""Figures and strangers' text as the page shows them.

What comes from others, such as paths, names and reasons, goes through shown(): HTML has no meaning in it then, and no
character in it is invisible or changes the direction in which others are read.
"""

from __future__ import annotations

from html import escape

from fastwsgi.originals import time
from fastwsgi.status.escapes import escaped
from fastwsgi.status.phrases import spell
from fastwsgi.status.quantile import sign

NOTHING = "\u2013"  # an en dash
"""Stands for what is not known, or does not apply."""
MOST = 500  # characters of one text
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
MARKS = {"ok": "●", "warn": "▲", "bad": "■"}
"""A shape for each level, so that colour is not all that tells them apart."""


def shown(text: object, most: int = MOST) -> str:
    """*text* for HTML, in which nothing is invisible; what is longer than *most* characters is cut."""
    whole = str(text)
    kept = whole[:most]
    if not kept.isprintable():
        kept = "".join(one if one.isprintable() else escaped(one) for one in kept)
    return escape(kept + _cut(whole, most))


def lines(text: str, most: int) -> str:
    """The same of several lines."""
    return "\n".join(shown(line) for line in text[:most].splitlines()) + _cut(text, most)


def _cut(text: str, most: int) -> str:
    return f" … ({len(text) - most} more)" if len(text) > most else ""


def mark(level: str) -> str:
    """The shape of *level*, which a word beside it says, too."""
    return f'<span class="mark {level}" aria-hidden="true">{MARKS[level]}</span>'


def duration(seconds: float | None) -> str:
    """12 ms, 3.2 s, 4 min."""
    return NOTHING if seconds is None else spell(seconds)


def estimate(seconds: float | None) -> str:
    """A quantile of durations: < 5 ms, 12 ms, > 10 s."""
    if seconds is None:
        return NOTHING
    before = sign(seconds)
    return f"{escape(before)} {spell(seconds).replace('.0', '')}" if before else spell(seconds)


def percent(share: float | None) -> str:
    """*share*, 1 being all, in per cent; what is not quite nothing is not 0, and what is not quite all not 100."""
    if share is None:
        return NOTHING
    value = share * 100
    if 0 < value < 0.1:
        return "&lt;0.1%"
    return f"{value:.1f}%" if 0 < value < 9.95 or 99.5 <= value < 99.95 else f"{value:.0f}%"


def rate(number: float | None) -> str:
    """Things a second, such as 0.3, 4.2 or 1,234."""
    if number is None:
        return NOTHING
    if 0 < number < 9.95:
        return f"{number:.1f}" if number >= 0.1 else f"{number:.2f}"
    return count(number)


def count(number: float) -> str:
    """A number of things, such as 1,234 or 12.3 M."""
    return f"{number:,.0f}" if number < 999_999.5 else f"{number / 1e6:,.1f} M"


def size(number: float) -> str:
    """Bytes, such as 512 B, 48 MiB or 1.2 GiB."""
    power = 0
    while number >= 1023.5 and power < len(UNITS) - 1:
        number /= 1024
        power += 1
    return f"{number:.{1 if power and number < 9.95 else 0}f} {UNITS[power]}"


def clock(at: float) -> str:
    """The time of the day where the server is, as its error log has it."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def date(at: float) -> str:
    """The day and the time, with the zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(at))


def moment(at: float, now: float) -> str:
    """When something happened: a time on the same day, else a date."""
    same_day = time.localtime(at)[:3] == time.localtime(now)[:3]
    text = clock(at) if same_day else time.strftime("%m-%d %H:%M", time.localtime(at))
    return f'<time datetime="{_iso(at)}" title="{date(at)}">{text}</time>'


def _iso(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
