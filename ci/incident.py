"""What tells operators of an incident, and how soon: four workers under load, and six incidents, one after the other.

    python ci/incident.py              prints a table, some 60 s
    python ci/incident.py --markdown   the one of docs/status-page.md

For each incident, a metric, the verdict in /status.json and on the page, `fastwsgi top --once` and the answers to
readiness probes must tell it to whoever asks two seconds after it has begun; its end is told as soon as it is known.
The exit code is 1 if one does not.
"""

from __future__ import annotations

import argparse
import os
import re
import ssl
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Callable

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ci.scenarios.incidents import (
    CALM,
    INCIDENTS,
    KEY,
    LATER,
    SHAPE,
    SITE,
    Dependency,
    ExpiringCertificate,
    Incident,
    sign,
)
from ci.scenarios.running import Missed, end
from ci.scenarios.views import BOUND, Told, Views, watch
from tests.helpers.deployments import Deployment, deployed
from tests.helpers.pki import TlsClient
from tests.helpers.serving import Client, Ended, request
from tests.helpers.traffic import Load

CLIENTS = {"kept": 8, "new": 8, "pause": 0.02}
TLS_CLIENTS = {"kept": 0, "new": 4, "pause": 0.02}
ORDER = request(target="/order")


@contextmanager
def serving(
    folder: str, dependency: Dependency, connect: Callable[..., Client], clients: dict[str, Any], **settings: Any
) -> Iterator[tuple[Deployment, Views]]:
    """A service under load, which is calm so far."""
    source = SITE.format(port=dependency.port)
    build = os.environ.get("FASTWSGI_BACKEND", "c")
    with deployed(Path(folder), build, source, **SHAPE, **settings) as server:
        views = Views(server, connect)
        with Load(server.address, data=ORDER, connect=connect, **clients) as load:
            load.more(100)
            watch(views, CALM, time.monotonic())
            yield server, views
        end(server)


class Report:
    """What was told, in two tables."""

    def __init__(self) -> None:
        self.missed = 0
        self.rows: list[tuple[str, dict[str, Told], float]] = []

    def add(self, name: str, told: dict[str, Told], over: float) -> None:
        """Note an incident, and after how many seconds its end was told."""
        self.rows.append((name, told, over))
        late = {view: one for view, one in told.items() if one.seconds > BOUND}
        self.missed += bool(late)
        print(f"{name}: {'MISSED, late are ' + ', '.join(late) if late else 'told in time'}; over after {over:.1f} s")
        for view, one in told.items():
            print(f"    {view:9} {one.seconds:4.1f} s  {one.text}")
        sys.stdout.flush()

    def markdown(self) -> str:
        """The table of docs/status-page.md."""
        lines = ["| incident | metric | verdict | readiness | told after | its end |", "|---|---|---|---|---|---|"]
        for name, told, over in self.rows:
            metric, _, value = told["metrics"].text.removeprefix("fastwsgi_").rpartition(" ")
            word, _, line = told["verdict"].text.partition(": ")
            slowest = max(one.seconds for one in told.values())
            said = f"**{word}**: {without_chance(line)}"
            cells = [name, f"`{metric}` {round(float(value), 1):.10g}", said, told["readiness"].text]
            lines.append(f"| {' | '.join(cells)} | {slowest:.1f} s | {over:.1f} s |")
        return "\n".join(lines)


def without_chance(line: str) -> str:
    """*line* without what is another number each time: process IDs and milliseconds."""
    line = re.sub(r"\bworker \d{3,}", "a worker", re.sub(r" \(pid \d+\)", "", line))
    return re.sub(r"\b(\d+) ms", lambda found: f"{int(found[1]) / 1000:.1f} s", line)


def happen(incident: Incident, views: Views, report: Report) -> None:
    """Have *incident* happen, and end. Raises Missed if that is not told."""
    name = str(type(incident).__doc__)
    began = time.monotonic()
    incident.begin()
    try:
        told = watch(views, incident.signs, began)
    except Missed as missed:
        raise Missed(f"{name}: {missed}") from None
    finally:
        began = time.monotonic()
        incident.end()
    try:
        watch(views, CALM, began)
    except Missed as missed:
        raise Missed(f"the end of {name}: {missed}") from None
    report.add(name, told, time.monotonic() - began)


def happen_all(report: Report) -> None:
    """Have all incidents happen. Raises Missed."""
    dependency = Dependency()
    with tempfile.TemporaryDirectory() as folder, serving(folder, dependency, Client, CLIENTS) as (server, views):
        for kind in INCIDENTS:
            happen(kind(server, dependency), views, report)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connect = partial(TlsClient, context=context, host="localhost")
    with tempfile.TemporaryDirectory() as folder:
        settings = {"certfile": [str(sign(Path(folder), LATER))], "keyfile": [f"{folder}/{KEY}"]}
        with serving(folder, dependency, connect, TLS_CLIENTS, **settings) as (server, views):
            happen(ExpiringCertificate(server, dependency), views, report)


def main() -> int:
    """Run all incidents; the exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--loops", type=int, default=0, help="of each worker, on a Python without a GIL")
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/status-page.md, too")
    options = parser.parse_args()
    SHAPE["loops"] = options.loops
    began = time.monotonic()
    report = Report()
    try:
        happen_all(report)
    except (Missed, Ended, AssertionError, OSError) as error:
        report.missed += 1
        print(f"MISSED: {error}", flush=True)
    if options.markdown:
        print(report.markdown())
    print(f"{len(report.rows)} incidents, {report.missed} missed, {time.monotonic() - began:.0f} s")
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
