"""The results of a run, and their JSON form: the only thing the report and the chart are made from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Round:
    """One measurement of one server under one profile.

    Attributes:
        cpu_us: the server's CPU time per request.
        waits: how often a thread of it waited, per request.
        p50_ms, p99_ms: latency with all connections busy.
        open_p99_ms: latency at a constant 80 % of requests_per_second.
        pss_mib: memory right after the load.
        steal_percent: time that the hypervisor gave to other machines, of the length of the measurement.
    """

    requests: int
    seconds: float
    requests_per_second: float
    cpu_us: float
    waits: float
    p50_ms: float | None
    p99_ms: float | None
    open_p99_ms: float | None
    pss_mib: float
    steal_percent: float
    errors: int


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
        """The median of a figure of Round over the rounds; None if it was not measured."""
        values = self.values(profile, server, figure)
        return median(values) if values else None

    def min(self, profile: str, server: str, figure: str) -> float | None:
        return min(self.values(profile, server, figure), default=None)

    def errors(self, profile: str, server: str) -> int:
        """Errors of all rounds together."""
        return int(sum(self.values(profile, server, "errors")))

    def values(self, profile: str, server: str, figure: str) -> list[float]:
        figures = (getattr(one, figure) for one in self.rounds.get(profile, {}).get(server, []))
        return [value for value in figures if value is not None]

    def merge(self, later: Results) -> None:
        """Take over a later run of the same machine and versions: its profiles take the place of those of that name.

        Raises ValueError if one of them is another.
        """
        for name in self.machine.keys() - {"date"}:
            if self.machine[name] != later.machine[name]:
                raise ValueError(f"{name}: {self.machine[name]} then, {later.machine[name]} now")
        for name in self.servers.keys() & later.servers.keys():
            if self.servers[name]["version"] != later.servers[name]["version"]:
                raise ValueError(f"{name} {self.servers[name]['version']} then, {later.servers[name]['version']} now")
        self.machine, self.settings = later.machine, later.settings
        self.servers.update(later.servers)
        self.skipped.update(later.skipped)
        self.skipped = {name: why for name, why in self.skipped.items() if name not in self.servers}
        self.profiles.update(later.profiles)
        for profile in later.profiles:
            for mine, theirs in ((self.rounds, later.rounds), (self.failed, later.failed), (self.notes, later.notes)):
                mine.pop(profile, None)
                if profile in theirs:
                    mine[profile] = theirs[profile]

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Results:
        data = json.loads(path.read_text())
        for servers in data["rounds"].values():
            for name, rounds in servers.items():
                servers[name] = [Round(**one) for one in rounds]
        return cls(**data)
