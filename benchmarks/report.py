"""The report: Markdown tables made from results alone, written between two markers of a README.

`python benchmarks/report.py [DIR]` draws the tables and the chart again from DIR/results.json.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from statistics import median

from chart import draw
from results import Results

BEGIN = "<!-- results: begin (written by run.py) -->"
END = "<!-- results: end -->"
EMPTY = f"# Results\n\n{BEGIN}\n{END}\n"
NOTED = "†"


def publish(json: Path, folder: Path) -> None:
    """From a JSON file of results, write the tables into README.md and the chart into results.svg."""
    results = Results.load(json)
    folder.mkdir(parents=True, exist_ok=True)
    readme = folder / "README.md"
    text = readme.read_text() if readme.exists() else EMPTY
    readme.write_text(insert(text, render(results)))
    draw(results, folder / "results.svg")


def insert(text: str, tables: str, begin: str = BEGIN, end: str = END) -> str:
    """Replace what stands between the markers. Raises ValueError if they are missing."""
    before, has_begin, rest = text.partition(begin)
    _, has_end, after = rest.partition(end)
    if not (has_begin and has_end):
        raise ValueError(f"no lines {begin!r} and {end!r} in the README")
    return f"{before}{begin}\n\n{tables}\n{end}{after}"


def render(results: Results) -> str:
    """All of the report, as Markdown."""
    parts = [
        conditions(results),
        "### Server CPU per request (µs, median of the rounds; the least is bold)",
        overview(results, "cpu_us", best=min),
        "### Requests per second (median of the rounds; the most is bold)",
        overview(results, "requests_per_second", best=max),
        *problems(results),
        "### Every figure",
        *(details(results, profile) for profile in results.profiles),
    ]
    return "\n\n".join(parts) + "\n"


def conditions(results: Results) -> str:
    """When, on what machine, how long, which versions, and how quiet the machine was."""
    machine, settings = results.machine, results.settings
    versions = ", ".join(f"{name} {facts['version']}" for name, facts in results.servers.items())
    steal = [one.steal_percent for servers in results.rounds.values() for one in chain(*servers.values())]
    return (
        f"{machine['date']}, {machine['cpu']} ({machine['cores']} cores), {machine['kernel']}, "
        f"{machine['python']}, wrk {machine['wrk']}, ab {machine['ab']}. "
        f"{settings['rounds']} rounds of {settings['seconds']} s, "
        f"server on core {settings['server_core']}, client on core {settings['client_core']}. "
        f"CPU time stolen by the hypervisor: {median(steal or [0]):.1f} % in the median round, "
        f"{max(steal, default=0):.1f} % in the worst.\n\n"
        f"Servers: {versions}."
    )


def overview(results: Results, figure: str, best: Callable[..., float | None]) -> str:
    """A row for each server, a column for each profile."""
    winners = {
        profile: best((results.median(profile, server, figure) for server in results.servers
                       if results.comparable(profile, server)), default=None)
        for profile in results.profiles
    }
    rows = [[server, *(cell(results, profile, server, figure, winner) for profile, winner in winners.items())]
            for server in results.servers]
    return table(["server", *results.profiles], rows)


def cell(results: Results, profile: str, server: str, figure: str, winner: float | None) -> str:
    if server in results.failed.get(profile, {}):
        return "failed"
    value = results.median(profile, server, figure)
    shown = number(value)
    if server in results.notes.get(profile, {}):
        return f"{shown} {NOTED}"
    return f"**{shown}**" if value is not None and value == winner else shown


def details(results: Results, profile: str) -> str:
    """Every figure of one profile, folded."""
    head = ["server", "requests/s", "CPU µs, median", "CPU µs, min", "p50 ms", "p99 ms", "PSS MiB", "errors"]
    rows = []
    for server in results.servers:
        figures = [results.median(profile, server, "requests_per_second"),
                   results.median(profile, server, "cpu_us"), results.min(profile, server, "cpu_us"),
                   *(results.median(profile, server, name) for name in ("p50_ms", "p99_ms", "pss_mib"))]
        rows.append([server, *map(number, figures), str(results.errors(profile, server))])
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


def number(value: float | None) -> str:
    """Three significant digits, or all that stand before the point."""
    if value is None:
        return "-"
    decimals = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{decimals}f}"


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table, the first column to the left and the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    publish(folder / "results.json", folder)
