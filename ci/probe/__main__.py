"""The command: see the package's docstring."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from launch import ServerFailed
from machine import facts
from peers import prepare
from run import installed, pick
from servers import Server

from . import ROOT, book, files, page, slow
from .peers import SERVERS, pinned
from .results import HERE, Results
from .rules import CHOICE, OK, Finding, Probe
from .session import Session

ending = threading.Event()  # we were told to end: servers are to be stopped


def main() -> int:
    """Probe and write; the exit status is 1 if fastwsgi failed a probe, or was not there."""
    options = parse()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    if options.render:
        page.write(Results.load(options.json), options.json.parent)
        return 0
    servers = pick(options.servers, SERVERS)
    pythons = interpreters(servers, options)
    present, skipped = installed(servers, pythons)
    machine = {key: value for key, value in facts().items() if key in ("date", "kernel", "python")}
    results = Results(machine, present, skipped)
    chosen = [probe for probe in book.probes() if options.only in probe.name]
    here = [server for server in servers if server.name in present]
    at_once = [one for one in chosen if one.line != "time"]
    in_threads(options.jobs, lambda server: go_through(results, server, pythons[server.name], at_once), here)
    if options.slow:
        in_threads(options.jobs, lambda server: keep_waiting(results, server, pythons[server.name]), here)
    results.found = {probe.name: results.found[probe.name] for probe in book.probes() if probe.name in results.found}
    if options.only:
        show(results)
    else:
        results.save(options.json)
        page.write(results, options.json.parent)
    return int(failed(results, [server for server in servers if server.ours]))


def end(*_: object) -> None:
    ending.set()
    sys.exit("ended before the end; nothing is written")


def show(results: Results) -> None:
    for name, found in results.found.items():
        for server, finding in found.items():
            print(f"{server}: {name}: {finding.verdict}: {finding.told}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ci.probe", description="Probe fastwsgi beside its peers.")
    add = parser.add_argument
    add("--servers", default=",".join(SERVERS), metavar="A,B", help=f"any of {', '.join(SERVERS)}")
    add("--only", default="", metavar="TEXT",
        help="probes with this in their names; what came of them is printed, and nothing written")
    add("--jobs", type=int, default=2, metavar="N", help="servers that are probed at the same time (%(default)s)")
    add("--slow", action="store_true", help=f"time, too: {slow.LIMIT:.0f} s more for each --jobs servers")
    add("--json", type=Path, default=HERE / "results.json", metavar="FILE",
        help="where the results go; README.md is written beside it (ci/probe/results.json)")
    add("--render", action="store_true", help="write README.md anew from --json, probe nothing")
    add("--peers-python", metavar="PATH", help="interpreter that has the peers; nothing is installed then")
    add("--peers-venv", type=Path, default=ROOT / "build" / "peers", metavar="DIR",
        help="virtual environment to make and keep for the peers (build/peers)")
    return parser.parse_args()


def interpreters(servers: list[Server], options: argparse.Namespace) -> dict[str, str]:
    """The interpreter of each server: this one for ours, that of the peers' environment for the others."""
    wanted = {server.distribution for server in servers if not server.ours}
    theirs = options.peers_python or (prepare(options.peers_venv, wanted, pinned()) if wanted else "")
    return {server.name: sys.executable if server.ours else theirs for server in servers}


def go_through(results: Results, server: Server, python: str, probes: list[Probe]) -> None:
    """All probes of one server."""
    started = time.monotonic()
    try:
        with Session(server, python) as session:
            for probe in probes:
                if ending.is_set():
                    return
                if probe in files.PROBES and not server.files:
                    continue
                finding = ask(probe, session)
                results.found.setdefault(probe.name, {})[server.name] = finding
                if server.ours and finding.verdict != OK:
                    print(f"{server.name}: {probe.name}: {finding.told} ({probe.source}: {probe.title})")
    except ServerFailed as error:
        results.skipped[server.name] = str(error)
        results.servers.pop(server.name)
    good = sum(servers.get(server.name, Finding("", "")).verdict == OK for servers in results.found.values())
    print(f"{server.name}: {good} of {len(probes)} in {time.monotonic() - started:.0f} s", file=sys.stderr)


def ask(probe: Probe, session: Session) -> Finding:
    """What fails is asked again of a fresh server, and a third time if that changes it: it must be repeatable."""
    finding = probe.run(session)
    for _ in range(2):
        if finding.verdict == OK:
            break
        session.again()
        before, finding = finding, probe.run(session)
        if before == finding:
            break
    if probe.demand == CHOICE and not session.server.ours:
        return Finding(OK, finding.told)
    return finding


def keep_waiting(results: Results, server: Server, python: str) -> None:
    """The probes of time, at once, each with a server of its own."""

    def wait(probe: Probe) -> None:
        with contextlib.suppress(ServerFailed), Session(server, python) as session:
            results.found.setdefault(probe.name, {})[server.name] = probe.run(session)

    in_threads(len(slow.PROBES), wait, slow.PROBES)


Item = TypeVar("Item")


def in_threads(jobs: int, work: Callable[[Item], None], items: Sequence[Item]) -> None:
    """Do *work* for each item, so many at a time."""
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(work, items))


def failed(results: Results, ours: list[Server]) -> bool:
    return any(
        server.name in results.skipped
        or any(servers[server.name].verdict != OK for servers in results.found.values() if server.name in servers)
        for server in ours
    )


if __name__ == "__main__":
    sys.exit(main())
