"""What sentences are made of: durations (12 ms, 3.2 s, 45 s, 4 min, 2 h, 3 days), numbers of things, and cut texts."""

from __future__ import annotations

from fastwsgi.gil import HAS_GIL

# What a C call holds in a worker in which no Python runs; without a GIL all may wait for its thread, when some code,
# such as a garbage collection, wants every thread to pause (PEP 703)
HELD = "the GIL" if HAS_GIL else "everything up"
UNITS = (("day", 86400), ("h", 3600), ("min", 60))


def spell(seconds: float) -> str:
    """*seconds* in one unit, exact to what matters."""
    seconds = max(0.0, seconds)
    if seconds < 0.9995:
        milliseconds = seconds * 1000
        return f"{milliseconds:.{1 if 0 < milliseconds < 9.95 else 0}f} ms" if seconds else "0 s"
    if seconds < 120:
        return f"{seconds:.{1 if seconds < 9.95 else 0}f} s"
    name, size = next(unit for unit in UNITS if seconds >= 2 * unit[1])
    return f"{seconds // size:.0f} {name}{'s' if name == 'day' else ''}"


def counted(number: int, noun: str) -> str:
    """So many of a thing: 1 worker, 2 workers."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def waiting_streams(number: int) -> str:
    """That so many responses wait for slow clients, while no thread does."""
    return "1 stream waits for its client" if number == 1 else f"{number} streams wait for clients"


def cut(text: str, most: int) -> str:
    """*text*, or its beginning and an ellipsis if it is longer than *most* characters."""
    return text if len(text) <= most else text[: most - 1] + "…"
