"""The columns of the table of workers in `fastwsgi top`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from fastwsgi.records import record
from fastwsgi.status.terminal_text import age, count, estimate, percent, rate, seconds, size

Worker = dict[str, Any]
"""A worker of /status.json, as of snapshot.WorkerFigures, with its rates."""


@record(frozen=True)
class Column:
    """One column.

    Attributes:
        title: its heading.
        help: what it means.
        width: characters.
        text: its text for a worker.
        key: what it is sorted by.
        descends: whether it is sorted from the highest down.
        weight: on a narrow screen, those with the least weight are left out first.
    """

    title: str
    help: str
    width: int
    text: Callable[[Worker], str]
    key: Callable[[Worker], Any]
    descends: bool = True
    weight: int = 5


def _field(name: str) -> Callable[[Worker], Any]:
    return lambda worker: worker[name]


def _known(name: str) -> Callable[[Worker], float]:
    """A figure that may not be known yet."""
    return lambda worker: -1.0 if worker[name] is None else worker[name]


def style(worker: Worker) -> str:
    """How bad it is what a worker does: bad, warning, dim, or "" for what is as it should be."""
    return "dim" if worker["word"] == "retiring" else {"bad": "bad", "warn": "warning"}.get(worker["level"], "")


COLUMNS = (
    Column("#", "the worker's position", 3, lambda one: str(one["worker"]), _field("worker"), False, 9),
    Column("PID", "its process", 7, lambda one: str(one["pid"]), _field("pid"), False, 8),
    Column(
        "STATE", "booting, ready, saturated, retiring, failed (cannot load the application), stuck (in a C call)",
        9, lambda one: str(one["word"]), _field("word"), False, 8,
    ),
    Column("GEN", "reloads before it", 3, lambda one: str(one["generation"]), _field("generation"), True, 1),
    Column("AGE", "since its start", 5, lambda one: age(one["age"]), _field("age"), True, 3),
    Column(
        "BUSY/THR", "threads that run the application, of all",
        8, lambda one: f"{one['threads_busy']}/{one['threads']}", _field("threads_busy"), True, 9,
    ),
    Column("QUEUE", "requests that wait for a thread", 5, lambda one: count(one["queued"]), _field("queued")),
    Column("CONN", "connections", 4, lambda one: count(one["connections"]), _field("connections"), True, 2),
    Column(
        "REQ/S", "answers a second", 5, lambda one: rate(one["request_rate"]), _known("request_rate"), True, 7
    ),
    Column("5XX/S", "answers with 5xx a second", 5, lambda one: rate(one["error_rate"]), _known("error_rate")),
    Column(
        "P95", "seconds within which 95 of 100 requests were answered, estimated",
        6, lambda one: estimate(one["p95"]), _known("p95"), True, 4,
    ),
    Column("CPU%", "of one CPU", 4, lambda one: percent(one["cpu_share"]), _known("cpu_share"), True, 4),
    Column("RSS", "memory resident", 4, lambda one: size(one["rss"]), _field("rss"), True, 4),
    Column(
        "SEEN", "seconds since its last heartbeat", 5, lambda one: seconds(one["seen"]), _field("seen"), True, 2
    ),
    Column(
        "OLDEST", "seconds for which its oldest request has run",
        6, lambda one: seconds(one["oldest"]) if one["oldest"] else "-", _field("oldest"), True, 6,
    ),
)  # fmt: skip


def fitting(width: int | None) -> list[Column]:
    """The columns for which there is room; all if *width* is None."""
    columns = list(COLUMNS)
    while width is not None and len(columns) > 1 and sum(one.width + 1 for one in columns) - 1 > width:
        columns.remove(min(columns, key=lambda one: one.weight))
    return columns


def cells(columns: Sequence[Column], texts: Sequence[str]) -> str:
    """A row: numbers to the right, words to the left."""
    row = (
        f"{text:{'<' if one.title == 'STATE' else '>'}{one.width}}" for one, text in zip(columns, texts)
    )
    return " ".join(row)


def ordered(workers: Sequence[Worker], column: Column) -> list[Worker]:
    """The workers, sorted by *column*, equals by their position."""
    by_position = sorted(workers, key=lambda one: (one["worker"], one["pid"]))
    return sorted(by_position, key=column.key, reverse=column.descends)
