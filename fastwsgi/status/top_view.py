"""What `fastwsgi top` shows, as lines of styled text: the verdict and the totals, the workers, the running requests.

It knows no terminal: the screen draws the lines, and a pipe gets their text. A style is bad, warning, good, dim, title,
chosen (the title of the column that is sorted by) or "". All texts that others have made are escaped here.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from fastwsgi.mistakes import Mistake, summary
from fastwsgi.records import record
from fastwsgi.status.escapes import ascii_text
from fastwsgi.status.phrases import waiting_streams
from fastwsgi.status.terminal_text import age, count, estimate, percent, rate, seconds
from fastwsgi.status.top_columns import COLUMNS, Column, cells, fitting, ordered, style

Document = dict[str, Any]
Line = list[tuple[str, str]]
"""Pieces of text, each with its style."""

LEVELS = {"ok": "good", "warn": "warning", "bad": "bad"}
KEYS = "q quit  p pause  s S sort  r requests  ? help"


@record
class Choice:
    """What the user has chosen.

    Attributes:
        sort: index of the column that the workers are sorted by.
        requests: whether running requests are shown.
        explains: whether the help is shown in place of all else.
    """

    sort: int = 0
    requests: bool = True
    explains: bool = False


def picture(document: Document, choice: Choice, width: int | None = None, height: int | None = None) -> list[Line]:
    """All lines for a screen of that size; where it is None, as many as there are.

    Raises:
        Mistake: *document* lacks something, or has it in another form, as that of another version may.
    """
    try:
        return _picture(document, choice, width, height)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        whose = f"the service, fastwsgi {document.get('version')}"
        line = f"{whose}, tells other things than this command reads: {summary(error)}"
        raise Mistake(ascii_text(line)) from None


def _picture(document: Document, choice: Choice, width: int | None, height: int | None) -> list[Line]:
    lines = head(document, width)
    if height is not None:
        lines = lines[: max(1, height // 3)]
    room = None if height is None else max(0, height - len(lines) - 1)
    running = requests(document["running"], width) if choice.requests else []
    workers = table(document["workers"], COLUMNS[choice.sort], width)
    if room is not None and len(workers) + len(running) + 1 > room:  # half for each, unless one needs less
        half = room // 2 if running else room
        workers = cut(workers, max(half, room - len(running) - 1), "workers")
        running = cut(running, room - len(workers) - 1, "requests")
    return [line for part in (lines, workers, running) if part for line in ([], *part)][1:]


def cut(lines: list[Line], room: int, what: str) -> list[Line]:
    """As many *lines* as there is room for, the last one telling how many more there are."""
    if len(lines) <= room:
        return lines
    return [*lines[: max(room - 1, 0)], [(f"... {len(lines) - max(room - 1, 0)} more {what}", "dim")]][: max(room, 0)]


# The head


def head(document: Document, width: int | None) -> list[Line]:
    """The verdict, and the totals in as many lines as they take."""
    verdict = document["verdict"]
    said = [(LEVELS.get(one["level"], ""), one["word"], one["line"]) for one in (verdict, *verdict["others"])]
    lines: list[Line] = []
    for look, word, line in said:
        words = ascii_text(f"{word}: {line}" if line else word)
        lines += [[(part, look)] for part in (textwrap.wrap(words, width) if width else [words])]
    return [*lines, *flow(totals(document), width), *flow(facts(document), width)]


def totals(document: Document) -> list[Line]:
    """The figures of the whole service."""
    rates, sums = document["rates"], document["totals"]
    threads, busy, full = sums["threads"], sums["threads_busy"], sums["fullest"]
    wait = f", oldest {seconds(sums['oldest_queued'])} s" if sums["oldest_queued"] else ""
    others = f" and {sums['others_busy']} in retiring workers" if sums["others_busy"] else ""
    streams, refused = sums["streams_waiting"], rates["refused"]
    return [
        item("busy", f"{busy}/{threads}{others}", busy >= threads > 0),
        item("utilisation", in_percent(rates["utilisation"])),
        item("queue", f"{count(sums['queued'])}{wait}", sums["queued"] > 0),
        *([[(waiting_streams(streams), "")]] if streams else []),
        *([item("listen queue", f"{full['waiting']}/{full['limit']}", full["waiting"] > 0)] if full else []),
        item("req/s", rate(rates["requests"])),
        item("5xx", in_percent(rates["errors"]), bool(rates["errors"])),
        *([item("refused with 503", count(refused), True)] if refused else []),
        *(item(name, estimate(rates[name])) for name in ("p50", "p95", "p99")),
    ]


def facts(document: Document) -> list[Line]:
    """What is served, by which version, since when."""
    ready = sum(one["state"] == "ready" for one in document["workers"])
    wanted, several = document["workers_wanted"], any(one["loops"] > 1 for one in document["workers"])
    return [
        *([[(ascii_text(name), "")]] if (name := document["told"]["name"]) else []),
        item("workers", f"{ready}/{wanted}", ready < wanted),
        *([item("loops", str(document["totals"]["loops"]))] if several else []),
        item("generation", str(document["generation"])),
        item("fastwsgi", ascii_text(document["version"])),
        item("up", age(max(0.0, document["at"] - document["since"]))),
    ]


def in_percent(part: float | None) -> str:
    """A part of the whole, with the sign."""
    return f"{percent(part)}{'' if part is None else '%'}"


def item(name: str, value: str, stands_out: bool = False) -> Line:
    """A figure with its name."""
    return [(f"{name} ", "dim"), (value, "warning" if stands_out else "")]


def flow(items: Sequence[Line], width: int | None) -> list[Line]:
    """The items in lines of at most *width* characters."""
    lines: list[Line] = [[]]
    for one in items:
        taken = length(lines[-1])
        if taken and width is not None and taken + 3 + length(one) > width:
            lines.append([])
        lines[-1] += [("   ", ""), *one] if lines[-1] else one
    return lines


def length(line: Line) -> int:
    """Characters of a line."""
    return sum(len(text) for text, _ in line)


# The tables


def table(workers: Sequence[Document], sort: Column, width: int | None) -> list[Line]:
    """The titles, and a row for each worker."""
    columns = fitting(width)
    titles: Line = []
    for column in columns:
        blank = " " if titles else ""
        titles.append((blank + cells([column], [column.title]), "chosen" if column is sort else "title"))
    rows = [(cells(columns, [column.text(one) for column in columns]), style(one)) for one in ordered(workers, sort)]
    return [titles, *([(ascii_text(text), look)] for text, look in rows)]


def requests(running: Sequence[Document], width: int | None) -> list[Line]:
    """The requests that run now, oldest first."""
    if not running:
        return [[("no request runs", "dim")]]
    named = any(one["request_id"] for one in running)
    longest = max(len("REQUEST ID"), min(40, max(len(ascii_text(one["request_id"])) for one in running)))
    identity = f"{'REQUEST ID':{longest}} " if named else ""
    lines: list[Line] = [[(f"RUNNING   #     PID  THREAD {identity}REQUEST", "title")]]
    for one in sorted(running, key=lambda one: -float(one["seconds"])):
        known = ascii_text(one["request_id"])[:longest]
        where = f"{seconds(one['seconds']):>7} {one['worker']:>3} {one['pid']:>7} {one['thread']:>7}"
        what = ascii_text(f"{one['method']} {one['path']}")
        lines.append([(where, ""), (f" {known:{longest}}" if named else "", "dim"), (f" {what}", "")])
    return lines


# Other views


def explanation(width: int) -> list[Line]:
    """The keys, and what each column means, on a screen of that *width*."""
    lines: list[Line] = [[(KEYS, "title")], []]
    for one in COLUMNS:
        for number, part in enumerate(textwrap.wrap(one.help, max(20, width - 9))):
            lines.append([(f"{'' if number else one.title:9}", "title"), (part, "")])
    return [*lines, [], [("any key goes back", "dim")]]


def text(lines: Sequence[Line]) -> str:
    """The lines without their styles."""
    return "".join("".join(piece for piece, _ in line).rstrip() + "\n" for line in lines)
