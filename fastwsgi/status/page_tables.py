"""The tables of the page: the workers, and the requests that run now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable

from fastwsgi.records import record
from fastwsgi.status.condition import condition
from fastwsgi.status.history import WorkerRates
from fastwsgi.status.page_text import NOTHING, count, duration, estimate, mark, percent, rate, shown, size
from fastwsgi.status.phrases import HELD
from fastwsgi.status.snapshot import Running, Snapshot, WorkerFigures

MOST_RUNNING = 100
LONGEST_PATH = 400  # characters


@record(frozen=True)
class Column:
    """A column of the workers: its title, what it means, and its cell for a worker."""

    title: str
    help: str
    cell: Callable[[WorkerFigures, WorkerRates], str]
    is_left: bool = False


def _state(worker: WorkerFigures, _: WorkerRates) -> str:
    word, level = condition(worker)
    return f"{mark(level)}{word}"


def _busy(worker: WorkerFigures, _: WorkerRates) -> str:
    part = min(worker.threads_busy, worker.threads) / worker.threads if worker.threads else 0
    bar = (
        '<svg class="bar" viewBox="0 0 40 7" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="40" height="7"/><rect width="{40 * part:g}" height="7"/></svg>'
    )
    return f"{bar}{worker.threads_busy}/{worker.threads}"


def _queue(worker: WorkerFigures, _: WorkerRates) -> str:
    return f"{worker.queued}, {duration(worker.oldest_queued)}" if worker.queued else "0"


COLUMNS = (
    Column("Pid", "the process", lambda one, _: str(one.pid)),
    Column("State", f"booting, ready, saturated, retiring, stuck (a C call holds {HELD}) or failed", _state, True),
    Column("Gen.", "reloads before it", lambda one, _: str(one.generation)),
    Column("Age", "since its start", lambda one, _: duration(one.age)),
    Column("Busy", "threads that run the application, of all", _busy),
    Column("Queue", "requests that wait for a thread, and for how long the first has", _queue),
    Column("Conn.", "connections", lambda one, _: count(one.connections)),
    Column("Streams", "responses that wait for slow clients, and take no thread meanwhile",
           lambda one, _: count(one.streams_waiting)),
    Column("Req/s", "answers a second", lambda _, rates: rate(rates.request_rate)),
    Column("5xx/s", "answers with 5xx a second", lambda _, rates: rate(rates.error_rate)),
    Column("p95", "95 of 100 requests are answered within, estimated", lambda _, rates: estimate(rates.p95)),
    Column("CPU", "of one CPU", lambda _, rates: percent(rates.cpu_share)),
    Column("Memory", "resident", lambda one, _: size(one.rss)),
    Column("Seen", "since its last heartbeat", lambda one, _: duration(one.seen)),
    Column("Oldest", "for how long its oldest request has run",
           lambda one, _: duration(one.oldest) if one.oldest else NOTHING),
)  # fmt: skip


def workers(snapshot: Snapshot, rates: Sequence[WorkerRates]) -> str:
    """The table of workers, by position."""
    ready = sum(one.state == "ready" for one in snapshot.workers)
    loops = f", {snapshot.loops} loops" if any(one.loops > 1 for one in snapshot.workers) else ""
    told = f"{ready} of {snapshot.workers_wanted} ready{loops}, generation {snapshot.generation}"
    note = f'<span class="note">{told}</span>'
    heading = f'<h2 id="h-workers">Workers {note}</h2>'
    if not snapshot.workers:
        return f'{heading}<div class="scroll"><p class="none">There is none.</p></div>'
    titles = "".join(
        f'<th scope="col"{" class=left" if one.is_left else ""} title="{one.help}">{one.title}</th>' for one in COLUMNS
    )
    pairs = sorted(zip(snapshot.workers, rates), key=lambda pair: (pair[0].worker, -pair[0].age))
    rows = "".join(_row(one, its) for one, its in pairs)
    head = f'<thead><tr><th scope="col" title="the position">#</th>{titles}</tr></thead>'
    total = f"<tfoot>{_total(snapshot, rates)}</tfoot>" if len(pairs) > 1 else ""
    return heading + scrolling("workers", "Workers", f"<table>{head}<tbody>{rows}</tbody>{total}</table>")


def _row(worker: WorkerFigures, rates: WorkerRates) -> str:
    level = condition(worker).level
    cells = "".join(
        f"<td{' class=left' if one.is_left else ''}>{one.cell(worker, rates)}</td>" for one in COLUMNS
    )
    kind = f' class="level-{level}"' if level != "ok" else ""
    return f'<tr id="w{worker.slot}"{kind}><th scope="row">{worker.worker}</th>{cells}</tr>'


def _total(snapshot: Snapshot, rates: Sequence[WorkerRates]) -> str:
    """What can be summed up, of all rows, retiring workers included."""
    all_workers = snapshot.workers
    busy, threads = (sum(getattr(one, name) for one in all_workers) for name in ("threads_busy", "threads"))
    sums = {
        "Busy": f"{busy}/{threads}",
        "Queue": count(snapshot.queued),
        "Conn.": count(sum(one.connections for one in all_workers)),
        "Streams": count(snapshot.streams_waiting),
        "Req/s": rate(sum(one.request_rate or 0 for one in rates)),
        "5xx/s": rate(sum(one.error_rate or 0 for one in rates)),
        "CPU": percent(sum(one.cpu_share or 0 for one in rates)),
        "Memory": size(sum(one.rss for one in all_workers)),
    }
    cells = "".join(f"<td>{sums.get(one.title, '')}</td>" for one in COLUMNS)
    return f'<tr><th scope="row">all rows</th>{cells}</tr>'


RUNNING_TITLES = (
    '<th scope="col">For</th><th scope="col" class="left">Method</th><th scope="col" class="left">Path</th>'
    '<th scope="col">Worker</th><th scope="col">Pid</th><th scope="col">Thread</th>'
    '<th scope="col" class="left">Request ID</th>'
)


def running(snapshot: Snapshot) -> str:
    """The requests that run now, oldest first."""
    several = snapshot.running
    note = f'<span class="note">{count(len(several))}, oldest first; <a href="stacks">their stacks</a></span>'
    if not several:
        return '<h2 id="h-running">Running requests</h2><div class="scroll"><p class="none">None runs.</p></div>'
    rows = "".join(_request(one) for one in several[:MOST_RUNNING])
    more = len(several) - MOST_RUNNING
    foot = f'<tfoot><tr><td class="left" colspan="7">and {count(more)} more</td></tr></tfoot>' if more > 0 else ""
    table = f"<table><thead><tr>{RUNNING_TITLES}</tr></thead><tbody>{rows}</tbody>{foot}</table>"
    return f'<h2 id="h-running">Running requests {note}</h2>' + scrolling("running", "Running requests", table)


def _request(one: Running) -> str:
    path, request_id = shown(one.path, LONGEST_PATH), shown(one.request_id, 80) or NOTHING
    return (
        f'<tr id="r{one.pid}-{one.thread}"><td>{duration(one.seconds)}</td>'
        f'<td class="left">{shown(one.method, 30)}</td><td class="left wide mono"><bdi>{path}</bdi></td>'
        f"<td>{one.worker}</td><td>{one.pid}</td><td>{one.thread}</td>"
        f'<td class="left mono"><bdi>{request_id}</bdi></td></tr>'
    )


def scrolling(name: str, label: str, table: str) -> str:
    """*table* in a frame of its own that scrolls sideways, by the keyboard, too."""
    return f'<div class="scroll" id="s-{name}" role="region" aria-label="{label}" tabindex="0">{table}</div>'
