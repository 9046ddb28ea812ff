"""Figures as a terminal shows them, short and in ASCII: 1.2k, 3.4M, 0.012, 3d04h."""

from __future__ import annotations

from fastwsgi.status.quantile import sign

DASH = "-"
"""Stands for what is not known."""


def count(number: float) -> str:
    """A number of things, in at most four characters: 999, 1.2k, 34k, 3.4M."""
    return _scaled(number, 1000, ("", "k", "M", "G", "T"))


def size(number: float) -> str:
    """Bytes, in at most four characters, by powers of 1024: 512, 1.2K, 34M."""
    return _scaled(number, 1024, ("", "K", "M", "G", "T"))


def _scaled(number: float, step: int, suffixes: tuple[str, ...]) -> str:
    place = 0
    while number >= 999.5 and place < len(suffixes) - 1:
        number /= step
        place += 1
    return f"{number:.{1 if place and number < 9.95 else 0}f}{suffixes[place]}"


def rate(number: float | None) -> str:
    """Things a second, in at most five characters: 0, 0.03, 4.2, 182, 1.2k; what is not quite nothing is not 0."""
    if number is None:
        return DASH
    if 0 < number < 9.95:
        return f"{number:.1f}" if number >= 0.995 else f"{number:.2f}" if number >= 0.01 else "<0.01"
    return count(number)


def percent(part: float | None) -> str:
    """A part of the whole in per cent, 1 being all: 0, 0.4, 37; what is not quite nothing is not 0."""
    if part is None:
        return DASH
    number = part * 100
    if 0 < number < 9.95:
        return f"{number:.1f}" if number >= 0.05 else "<0.1"
    return f"{number:.0f}"


def seconds(number: float | None) -> str:
    """A duration, exact to what matters, in at most five characters: 0.012, 1.25, 12.3, 2m03, 3d04h."""
    if number is None:
        return DASH
    if number < 60:
        return f"{number:.{3 if number < 0.9995 else 2 if number < 9.995 else 1}f}"
    return age(number)


def estimate(number: float | None) -> str:
    """A quantile of durations, in at most six characters: <0.005, 0.012, >10.0."""
    return DASH if number is None else f"{sign(number)}{seconds(number)}"


def age(number: float) -> str:
    """A long duration, in at most five characters: 5s, 3m07, 2h05, 3d04h, 128d."""
    whole = int(number)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes == 0:
        return f"{whole}s"
    if hours == 0:
        return f"{minutes}m{whole % 60:02}"
    if days == 0:
        return f"{hours}h{minutes % 60:02}"
    return f"{days}d{hours % 24:02}h" if days < 10 else f"{days}d"
