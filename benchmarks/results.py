"""The results of a run, and their JSON form: the only thing the report and the chart are made from."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles


@dataclass(frozen=True)
class Round:
    """One start of one server under one profile: its bursts, and medians of them where there is one number.

    Attributes:
        requests, seconds: of all bursts with all connections busy together.
        cpu_us: the server's CPU time per request, burst by burst.
        requests_per_second: burst by burst.
        waits: how often a thread of it waited, per request.
        p50_ms, p99_ms: latency with all connections busy.
        open_p99_ms: latency at a constant 80 % of requests_per_second.
        pss_mib: memory right after a burst, with all servers of the profile up.
        idle_percent: CPU time that it took while others had their bursts, of that time.
        steal_percent: time that the hypervisor gave to other machines, of seconds.
        errors: of all bursts, also those at a rate.
    """

    requests: int
    seconds: float
    cpu_us: list[float]
    requests_per_second: list[float]
    waits: float
    p50_ms: float | None
    p99_ms: float | None
    open_p99_ms: float | None
    pss_mib: float
    idle_percent: float
    steal_percent: float
    errors: int

    def median(self, figure: str) -> float:
        """That of the bursts of a figure that is told burst by burst."""
        return median(getattr(self, figure))


@dataclass
class Results:
    """rounds, failed and notes are by profile and server; a failed server has its reason and no rounds."""

    machine: dict[str, str]
    settings: dict[str, float]
    servers: dict[str, dict[str, str]]
    skipped: dict[str, str]
    profiles: dict[str, str]
    rounds: dict[str, dict[str, list[Round]]] = field(default_factory=dict)
    failed: dict[str, dict[str, str]] = field(default_factory=dict)
    notes: dict[str, dict[str, str]] = field(default_factory=dict)

    def add_round(self, profile: str, server: str, one: Round) -> None:
        self.rounds.setdefault(profile, {}).setdefault(server, []).append(one)

    def add_failure(self, profile: str, server: str, reason: str) -> None:
        """A server that fails once is out for that profile: its other rounds do not count."""
        self.failed.setdefault(profile, {})[server] = reason
        self.rounds.get(profile, {}).pop(server, None)

    def add_note(self, profile: str, server: str, note: str) -> None:
        self.notes.setdefault(profile, {})[server] = note

    def comparable(self, profile: str, server: str) -> bool:
        """Measured, and nothing noted against it."""
        measured = self.rounds.get(profile, {}).get(server)
        return bool(measured) and server not in self.notes.get(profile, {})

    def median(self, profile: str, server: str, figure: str) -> float | None:
        """The median of a figure of Round over all there is of it; None if it was not measured."""
        values = self.values(profile, server, figure)
        return median(values) if values else None

    def errors(self, profile: str, server: str) -> int:
        """Errors of all rounds together."""
        return int(sum(self.values(profile, server, "errors")))

    def values(self, profile: str, server: str, figure: str) -> list[float]:
        """A figure of Round, burst by burst if it is told so, else round by round."""
        found = [getattr(one, figure) for one in self.rounds.get(profile, {}).get(server, [])]
        return [value for one in found for value in (one if isinstance(one, list) else [one]) if value is not None]

    def conflict(self, later: Results) -> str:
        """What forbids to merge a later run: another machine, or another version of a server; empty if nothing does."""
        mine, theirs = ({**{name: fact for name, fact in one.machine.items() if name != "date"},
                         **{name: facts["version"] for name, facts in one.servers.items()}} for one in (self, later))
        return ", ".join(f"{name}: {theirs[name]} now, {mine[name]} then" for name in mine
                         if name in theirs and mine[name] != theirs[name])

    def merge(self, later: Results) -> None:
        """Take over what a later run has measured so far: its profiles take the place of those of their names."""
        self.machine, self.settings = later.machine, later.settings
        self.servers.update(later.servers)
        self.skipped.update(later.skipped)
        self.skipped = {name: why for name, why in self.skipped.items() if name not in self.servers}
        measured = [profile for profile in later.profiles if profile in later.rounds or profile in later.failed]
        for profile in measured:
            self.profiles[profile] = later.profiles[profile]
            for mine, theirs in ((self.rounds, later.rounds), (self.failed, later.failed), (self.notes, later.notes)):
                mine.pop(profile, None)
                if profile in theirs:
                    mine[profile] = theirs[profile]

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(on_one_line(json.dumps(asdict(self), indent=1)) + "\n")

    @classmethod
    def load(cls, path: Path) -> Results:
        data = json.loads(path.read_text())
        for servers in data["rounds"].values():
            for name, rounds in servers.items():
                servers[name] = [Round(**one) for one in rounds]
        return cls(**data)


def on_one_line(text: str) -> str:
    """JSON whose lists of numbers take a line each, not one for every number."""
    return re.sub(r"\[\s+([\d.,\s]+?)\s+\]", lambda numbers: f"[{' '.join(numbers[1].split())}]", text)


def spread(values: list[float]) -> tuple[float, float]:
    """The 10th and the 90th percentile: how far values scatter, without the few that were disturbed."""
    if len(values) < 2:
        return values[0], values[0]
    tenths = quantiles(values, n=10, method="inclusive")
    return tenths[0], tenths[-1]
