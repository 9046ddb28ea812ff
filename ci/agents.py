#!/usr/bin/env python3
"""Run the agents and SDKs of docs/agents.md beside fastwsgi, and count what arrives where they send it.

    python ci/agents.py [SECTION ...] [--write]      all sections of the page, or those whose heading has a word

A virtual environment in build/agents gets the packages of the page's `pip install` lines from PyPI, and this.
Each command of the page is run with the files above it, with and without --preload, and with `--max-requests`, so that
workers are replaced. Its application gets orders, each with a number of its own: some before a SIGHUP, one in a child
that is forked, some right before the SIGTERM. Each of them has to arrive at the collector (collector.py), else the exit
code is 1; that of the child may be lost, since not every agent lives on in one. --write puts the results into the page.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import venv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ci.collector import Collector

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/agents.md"
ENVIRONMENT = ROOT / "build/agents"
BLOCK = re.compile(r"(?:^`(\S+)`:\n\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RESULTS = re.compile(r"(?<=<!-- results: begin \(ci/agents.py --write\) -->\n).*?(?=<!-- results: end -->)", re.DOTALL)
LISTENS = re.compile(r"listening on http://([0-9.:]+)")
RELOADED = re.compile("reload complete")
ALWAYS = "httptools flask django"  # what the page takes for granted
PATIENCE = 60.0
CLIENTS = 8
FORKED = 9999  # the number of the order of the child
SITE = """
import os

from shop import app as shop

def app(environ, start_response):
    if environ["PATH_INFO"] != "/fork":
        return shop(environ, start_response)
    child = os.fork()
    if child == 0:
        order = dict.fromkeys(("PATH_INFO", "RAW_URI", "REQUEST_URI"), "/order/9999")
        response = shop({**environ, **order}, start_response)
        list(response)
        getattr(response, "close", list)()
        return []
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    start_response("200 OK" if code == 0 else "500 Child", [])
    return [b""]
"""


@dataclass
class Trial:
    """A command of the page, with the files that it needs."""

    heading: str
    command: str
    files: dict[str, str]


@dataclass
class Outcome:
    """What one run of a trial came to.

    Attributes:
        asked: numbers of the orders that were answered with 200.
        arrived: numbers of those that the agent has sent, or how many the application's own metrics count.
        twice: how many were sent twice.
        workers: how many there were in all.
        faults: what is amiss.
        printed: what the agent has printed, without our own log.
    """

    asked: set[int] = field(default_factory=set)
    arrived: int = 0
    forked: bool = False
    twice: int = 0
    workers: int = 0
    faults: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sections", nargs="*", help="words of the headings of those to run")
    parser.add_argument("--write", action="store_true", help="put the results into docs/agents.md")
    arguments = parser.parse_args()
    page = PAGE.read_text()
    make_environment(page)
    rows, failed = [], 0
    for trial in trials(page):
        if not arguments.sections or any(word in trial.heading for word in arguments.sections):
            plain, preloaded = run(trial, []), run(trial, ["--preload"])
            for name, outcome in (("", plain), (" --preload", preloaded)):
                failed += tell(trial.heading + name, outcome)
            rows.append(row(trial, plain, preloaded))
    if arguments.write:
        PAGE.write_text(RESULTS.sub(lambda _: "".join(f"{line}\n" for line in rows), PAGE.read_text()))
    return 1 if failed else 0


def make_environment(page: str) -> None:
    """The virtual environment, with what the page installs."""
    venv.create(ENVIRONMENT, with_pip=True)
    python = ENVIRONMENT / "bin/python"
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    for line in [ALWAYS, *re.findall(r"^\$ pip install (.*)", page, re.MULTILINE)]:
        subprocess.run([*pip, *line.split()], check=True)
    (site,) = ENVIRONMENT.glob("lib/python*/site-packages")
    (site / "clone.pth").write_text(f"{ROOT}\n")
    command = ENVIRONMENT / "bin/fastwsgi"
    command.write_text(f"#!{python}\nimport sys\nfrom fastwsgi.cli import main\nsys.exit(main())\n")
    command.chmod(0o755)
    versions = [python, "-m", "pip", "--disable-pip-version-check", "freeze"]
    print(subprocess.run(versions, check=True, capture_output=True, text=True).stdout)


def trials(page: str) -> Iterator[Trial]:
    """The commands of the page in order; a file holds until another of its name comes."""
    files: dict[str, str] = {}
    for section in re.split(r"^## ", page, flags=re.MULTILINE):
        heading = section.partition("\n")[0]
        for name, language, text in BLOCK.findall(section):
            if name:
                files[name] = text
            elif not language:
                hook = " with a hook" if "-c gunicorn" in text and "Prometheus" not in heading else ""
                yield Trial(heading + hook, text.strip(), dict(files))


def variables(collector: Collector, secure: Collector) -> dict[str, str]:
    """Where the agents are to send to, and how soon."""
    return {
        "PATH": f"{ENVIRONMENT}/bin:{os.environ['PATH']}",
        "FASTWSGI_BIND": "127.0.0.1:0",
        "PYTHONUNBUFFERED": "1",
        "SENTRY_DSN": f"http://key@127.0.0.1:{collector.server_port}/1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "DD_TRACE_AGENT_URL": collector.url,
        "NEW_RELIC_LICENSE_KEY": "0" * 40,
        "NEW_RELIC_HOST": "localhost",
        "NEW_RELIC_PORT": str(secure.server_port),
        "NEW_RELIC_CA_BUNDLE_PATH": str(secure.certificate),
    }


def run(trial: Trial, more: list[str]) -> Outcome:
    """Run a trial with *more* options."""
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "metrics").mkdir()
        for file, text in {**trial.files, "tried.py": SITE}.items():
            (folder / file).write_text(text)
        collector, secure = Collector(), Collector(folder)
        command = trial.command.replace("shop:app", "tried:app --max-requests 15 " + " ".join(more))
        with serving(command, folder, variables(collector, secure)) as server:
            drive(server, outcome, counts="PROMETHEUS_MULTIPROC_DIR" in command)
        if not outcome.arrived:
            arrived = collector.orders | secure.orders
            outcome.arrived = len(outcome.asked & arrived)
            outcome.forked = FORKED in arrived
            outcome.twice = collector.twice + secure.twice
        for one in (collector, secure):
            one.shutdown()
            one.server_close()
    outcome.printed = [line for line in server.lines if not re.match(r"\d{4}-.* (INFO|\[\d+\])", line)]
    outcome.workers = sum("started" in line for line in server.lines)
    if outcome.arrived < len(outcome.asked):
        outcome.faults.append(f"{len(outcome.asked) - outcome.arrived} were lost")
    if not any("to be replaced" in line for line in server.lines):
        outcome.faults.append("no workers were replaced")
    return outcome


@dataclass
class Server:
    """A service under an agent."""

    process: subprocess.Popen[str]
    output: IO[str]
    lines: list[str] = field(default_factory=list)
    address: str = ""

    def wait_for(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """Read lines up to the one that has *pattern*."""
        for line in self.output:
            self.lines.append(line.rstrip("\n"))
            if found := pattern.search(line):
                return found
        raise SystemExit("\n".join([*self.lines, f"it ended with {self.process.wait()} before {pattern.pattern!r}"]))

    def get(self, path: str) -> str:
        """The body of an answer; raises OSError if it is no 200."""
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=PATIENCE) as answer:
            return str(answer.read().decode())

    def order(self, numbers: range) -> set[int]:
        """Place orders, several at a time; the numbers of those that were answered."""
        with ThreadPoolExecutor(CLIENTS) as clients:
            list(clients.map(lambda number: self.get(f"/order/{number}"), numbers))
        return set(numbers)


@contextmanager
def serving(command: str, folder: Path, settings: dict[str, str]) -> Iterator[Server]:
    """The service that *command* starts, up to its end."""
    process = subprocess.Popen(
        ["sh", "-c", f"exec env {command}"], cwd=folder, env={**os.environ, **settings}, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    server = Server(process, process.stdout)
    watch = threading.Timer(2 * PATIENCE, process.kill)
    watch.start()
    try:
        server.address = server.wait_for(LISTENS)[1]
        yield server
        server.lines += server.output.read().splitlines()
        process.wait(PATIENCE)
    finally:
        watch.cancel()
        if process.poll() is None:
            process.kill()
        process.stdout.close()


def drive(server: Server, outcome: Outcome, counts: bool) -> None:
    """Have it take orders through all that may lose them; *counts*: the application's own metrics are asked for."""
    outcome.asked |= server.order(range(1000, 1060))
    try:
        server.get("/fork")
    except OSError as error:
        outcome.faults.append(f"a request that forks: {error}")
    server.process.send_signal(signal.SIGHUP)
    server.wait_for(RELOADED)
    outcome.asked |= server.order(range(1060, 1100))
    if counts:
        check_metrics(server, outcome)
    start = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    server.lines += server.output.read().splitlines()
    if server.process.wait(PATIENCE):
        outcome.faults.append(f"exit code {server.process.returncode}")
    if time.monotonic() - start > 20:
        outcome.faults.append("the stop took long")


def check_metrics(server: Server, outcome: Outcome) -> None:
    """Ask the application for its metrics, until the workers that were replaced have ended."""
    until = time.monotonic() + PATIENCE
    while True:
        found = dict(re.findall(r"^(\w+) ([0-9.]+)$", server.get("/metrics"), re.MULTILINE))
        if float(found["shop_workers"]) <= 2 or time.monotonic() > until:
            break
    if float(found["shop_workers"]) > 2:
        outcome.faults.append(f"shop_workers is {found['shop_workers']}")
    if not any(name.startswith("fastwsgi_") for name in found):
        outcome.faults.append("the Collector gives nothing")
    counted = int(float(found["orders_total"]))
    outcome.forked = counted > len(outcome.asked)
    outcome.arrived = min(counted, len(outcome.asked))


def tell(name: str, outcome: Outcome) -> int:
    """Print an outcome; whether something is amiss."""
    forked = "with" if outcome.forked else "WITHOUT"
    print(
        f"{name}: {outcome.arrived} of {len(outcome.asked)} arrived, {forked} the one of a child, {outcome.twice} "
        f"twice, {outcome.workers} workers; {', '.join(outcome.faults) or 'all well'}",
        *(f"    {line}" for line in dict.fromkeys(outcome.printed)),
        sep="\n",
        flush=True,
    )
    return bool(outcome.faults)


def row(trial: Trial, plain: Outcome, preloaded: Outcome) -> str:
    """A row of the page's table."""
    cells = [f"{one.arrived} of {len(one.asked)}" for one in (plain, preloaded)]
    child = ("not sent", "not always sent", "sent")[plain.forked + preloaded.forked]
    again = max(plain.twice, preloaded.twice)
    return f"| {trial.heading} | {' | '.join(cells)} | {child}{f'; {again} of others twice' if again else ''} |"


if __name__ == "__main__":
    sys.exit(main())
