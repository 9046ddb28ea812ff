"""The page: Markdown tables made from results and the tables of probes, written between two markers of README.md."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from report import insert

from . import book
from .failures import LOOKS_COMPLETE
from .lines import LINES, SECTIONS
from .results import HERE, Results
from .rules import CHOICE, LENIENT, MUST, OK, SHOULD, SMUGGLING, WRONG, Finding, Probe

BEGIN = "<!-- results: begin (python -m ci.probe) -->"
END = "<!-- results: end -->"
LETTERS = {SMUGGLING: "**S**", WRONG: "**W**", LENIENT: "**L**"}


def write(results: Results, folder: Path) -> None:
    """Put the tables into README.md of *folder*; where there is none, into a copy of ours."""
    readme = folder / "README.md"
    text = (readme if readme.exists() else HERE / "README.md").read_text()
    readme.write_text(renewed(text, results))


def renewed(text: str, results: Results) -> str:
    """*text* with these results between its markers. Raises ValueError if they are missing."""
    return insert(text, render(results), BEGIN, END)


def render(results: Results) -> str:
    probes = [probe for probe in book.probes() if probe.name in results.found]
    parts = [conditions(results, len(probes)), "### Summary", summary(results, probes), *left_out(results)]
    for section in SECTIONS:
        those = [probe for probe in probes if LINES[probe.line] == section]
        if those:
            parts += [f"### {section}", f"<details><summary>{len(those)} probes</summary>", details(results, those),
                      "</details>"]
    return "\n\n".join(parts) + "\n"


def conditions(results: Results, count: int) -> str:
    versions = ", ".join(f"{name} {facts['version']}" for name, facts in results.servers.items())
    machine = results.machine
    return f"{count} probes on {machine['date']}, {machine['python']}, {machine['kernel']}: {versions}."


def left_out(results: Results) -> list[str]:
    return [f"{name} was left out: {reason}" for name, reason in results.skipped.items()]


def summary(results: Results, probes: list[Probe]) -> str:
    """A row for each server: MUST by section, SHOULD in all, and what the breaches are good for."""
    sections = [section for section in SECTIONS if any(of(probes, section, MUST))]
    head = ["server", *sections, "**MUST**", "**SHOULD**", "**S**", "**W**", "**L**", LOOKS_COMPLETE, "died, stuck"]
    rows = []
    for server in results.servers:
        row = [server, *(score(results, server, of(probes, section, MUST)) for section in sections)]
        row += [score(results, server, of(probes, "", demand)) for demand in (MUST, SHOULD)]
        breaches = [results.found[probe.name][server] for probe in probes if server in results.found[probe.name]]
        row += [number(one.verdict == severity for one in breaches) for severity in LETTERS]
        row += [number(LOOKS_COMPLETE in one.told and one.verdict != OK for one in breaches)]
        row += [number(one.told in ("died", "stuck") for one in breaches)]
        rows.append(row)
    return table(head, rows)


def of(probes: list[Probe], section: str, demand: str) -> list[Probe]:
    return [probe for probe in probes if probe.demand == demand and section in ("", LINES[probe.line])]


def score(results: Results, server: str, probes: list[Probe]) -> str:
    found = [results.found[probe.name][server] for probe in probes if server in results.found[probe.name]]
    passed = sum(one.verdict == OK for one in found)
    return f"{passed}/{len(found)}" if found else "-"


def number(values: Iterable[bool]) -> str:
    return str(sum(values))


def details(results: Results, probes: list[Probe]) -> str:
    """A row for each probe, below a row for what its rule asks."""
    rows: list[list[str]] = []
    last = None
    for probe in probes:
        rule = (probe.demand, probe.source, probe.title)
        if rule != last:
            rows.append([f"**{escaped(probe.title)}** ({probe.demand}, {probe.source})", *[""] * len(results.servers)])
            last = rule
        found = results.found[probe.name]
        cells = [cell(probe, found[server]) if server in found else "-" for server in results.servers]
        rows.append([escaped(probe.name), *cells])
    return table(["probe", *results.servers], rows)


def cell(probe: Probe, finding: Finding) -> str:
    if finding.verdict != OK:
        return f"{LETTERS[finding.verdict]} {escaped(finding.told)}"
    return escaped(finding.told) if probe.demand == CHOICE else "✓"


def escaped(text: str) -> str:
    """*text* as Markdown shows it."""
    return re.sub(r"([\\`*_<>|\[\]{}#~])", r"\\\1", text)


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
