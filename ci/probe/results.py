"""The results of a run and their JSON form: all that the page is made from, beside the tables of probes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .rules import Finding

HERE = Path(__file__).parent


@dataclass
class Results:
    """found is by probe and server; skipped has the reason of each server that was not there."""

    machine: dict[str, str]
    servers: dict[str, dict[str, str]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    found: dict[str, dict[str, Finding]] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        head = {key: value for key, value in asdict(self).items() if key != "found"}
        rows = [f"  {json.dumps(name)}: {json.dumps(servers)}" for name, servers in self.found.items()]
        text = json.dumps(head, indent=1)[: -len("\n}")]
        path.write_text(text + ',\n "found": {\n' + ",\n".join(rows) + "\n }\n}\n")

    @classmethod
    def load(cls, path: Path) -> Results:
        results = cls(**json.loads(path.read_text()))
        for servers in results.found.values():
            for name, (verdict, told) in servers.items():
                servers[name] = Finding(verdict, told)
        return results
