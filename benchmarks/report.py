"""The report: Markdown made from results alone, written between two markers of a README.

`python benchmarks/report.py [DIR]` draws the tables and the chart again from DIR/results.json. From those of this
folder comes the picture in the README of the project, too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from statistics import median

import picture
import tables
from chart import draw
from results import Results, spread
from tables import number, table

HERE = Path(__file__).parent
BEGIN = "<!-- results: begin (written by run.py) -->"
END = "<!-- results: end -->"
PICTURE = "docs/images/cost.svg"
EMPTY = f"# Results\n\n{BEGIN}\n{END}\n"
NOTED = "†"
CPU = ("µs of server CPU per request · ms of latency (p99) at a constant 80 % of each server's own peak; medians of "
       "all bursts")


def publish(json: Path, folder: Path) -> None:
    """From a JSON file of results, write the tables into README.md and the chart into results.svg."""
    results = Results.load(json)
    folder.mkdir(parents=True, exist_ok=True)
    readme = folder / "README.md"
    text = readme.read_text() if readme.exists() else EMPTY
    readme.write_text(insert(text, render(results)))
    draw(results, folder / "results.svg")
    if folder.absolute() == HERE.absolute():
        (HERE.parent / PICTURE).write_text(picture.svg(results), encoding="utf-8")
        front = HERE.parent / "README.md"
        front.write_text(insert(front.read_text(), summary(results)))


def insert(text: str, tables: str, begin: str = BEGIN, end: str = END) -> str:
    """Replace what stands between the markers. Raises ValueError if they are missing."""
    before, has_begin, rest = text.partition(begin)
    _, has_end, after = rest.partition(end)
    if not (has_begin and has_end):
        raise ValueError(f"no lines {begin!r} and {end!r} in the README")
    return f"{before}{begin}\n\n{tables}\n{end}{after}"


def summary(results: Results) -> str:
    """For who wants one look: the picture, and what it was taken on."""
    machine = results.machine
    return f"{picture.line(results, PICTURE)}\n\n{machine['date']}, {machine['cpu']}, {machine['python']}.\n"


def render(results: Results) -> str:
    """All of the report, as Markdown."""
    parts = [
        conditions(results),
        "Servers: " + ", ".join(f"{name} {facts['version']}" for name, facts in results.servers.items()) + ".",
        "### Server CPU per request, and latency",
        f"{CPU}. Ours is compared with as many threads for the application as the peers have: one (fastwsgi-t1) for "
        "the smallest applications, four (fastwsgi, the default) for frameworks. Ratios are medians of those of all "
        "passes, in which each server has one burst; p10 and p90 are their 10th and 90th percentile.",
        tables.cpu(results),
        *why(results),
        "### Requests per second",
        tables.speed(results),
        "### What we cost: ours minus floor",
        tables.above_the_floor(results),
        "### What threads cost",
        tables.threads(results),
        *problems(results),
        "### Every figure",
        *(details(results, profile) for profile in results.profiles),
    ]
    return "\n\n".join(parts) + "\n"


def why(results: Results) -> list[str]:
    lines = tables.reasons(results)
    return ["Not reached:\n\n" + "\n".join(lines)] if lines else []


def conditions(results: Results) -> str:
    """When, on what machine, how long, and how quiet the machine was."""
    machine, settings = results.machine, results.settings
    steal = [one.steal_percent for servers in results.rounds.values() for one in chain(*servers.values())]
    return (
        f"{machine['date']}, {machine['cpu']} ({machine['cores']} cores), {machine['kernel']}, "
        f"{machine['python']}, wrk {machine['wrk']}, ab {machine['ab']}. {durations(results)}; "
        f"servers on core {settings['server_core']}, client on core {settings['client_core']}. "
        f"CPU time stolen by the hypervisor: {median(steal or [0]):.1f} % in the median round, "
        f"{max(steal, default=0):.1f} % in the worst."
    )


def durations(results: Results) -> str:
    """How many starts and bursts, of what length, each server had under a profile, or all of them."""
    rounds = [rounds for servers in results.rounds.values() for rounds in servers.values()]
    bursts = [sum(len(one.cpu_us) for one in several) for several in rounds]
    seconds = [sum(one.seconds for one in several) / count for several, count in zip(rounds, bursts)]
    return (f"Starts of each server for a profile: {extent(map(len, rounds))}, with {extent(bursts)} bursts in all, "
            f"of {extent(round(length, 1) for length in seconds)} s")


def extent(values: Iterable[float]) -> str:
    found = sorted(set(values)) or [0]
    return f"{found[0]:g}" if len(found) == 1 else f"{found[0]:g} to {found[-1]:g}"


def details(results: Results, profile: str) -> str:
    """Every figure of one profile, folded."""
    head = ["server", "requests/s", "CPU µs (p10 to p90)", "of each start", "waits a request", "p50 ms", "p99 ms",
            "p99 ms at 80 %", "PSS MiB", "CPU % idle", "errors"]
    rows = []
    for server in results.servers:
        cost = results.values(profile, server, "cpu_us")
        if not cost and server not in results.failed.get(profile, {}):
            continue
        scatter = f"{number(median(cost))} ({' to '.join(map(number, spread(cost)))})" if cost else "failed"
        starts = ", ".join(number(one.median("cpu_us")) for one in results.rounds.get(profile, {}).get(server, []))
        waits = results.median(profile, server, "waits")
        noted = f" {NOTED}" if server in results.notes.get(profile, {}) else ""
        rows.append([server + noted, number(results.median(profile, server, "requests_per_second")), scatter,
                     starts or "-", "-" if waits is None else f"{waits:.3f}",
                     *(number(results.median(profile, server, name)) for name in
                       ("p50_ms", "p99_ms", "open_p99_ms", "pss_mib", "idle_percent")),
                     str(results.errors(profile, server))])
    summary = f"<summary>{profile}: {results.profiles[profile]}</summary>"
    return f"<details>{summary}\n\n{table(head, rows)}\n\n</details>"


def problems(results: Results) -> list[str]:
    """Which servers were left out, failed or did something else, by name, and why."""
    lines = [f"- {server} was skipped: {reason}" for server, reason in results.skipped.items()]
    for profile, servers in results.failed.items():
        lines += [f"- {server} failed under {profile}: {reason}" for server, reason in servers.items()]
    for profile, servers in results.notes.items():
        lines += [f"- {NOTED} {server} under {profile}: {note}" for server, note in servers.items()]
    return ["### Skipped, failed, noted", "\n".join(lines)] if lines else []


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    publish(folder / "results.json", folder)
