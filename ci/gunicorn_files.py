#!/usr/bin/env python3
"""Run configuration files as gunicorn's users write them with gunicorn and with fastwsgi, and compare.

    python ci/gunicorn_files.py [FILE ...]      all of ci/gunicorn_files, such as worker_ids

Compared are the hooks that are called, in which process and order, with which arguments; what hooks log; the answers;
and the access log. What may differ stands in MEANT, with the reason. Both servers live one life at the same time: a
start, requests, for some files a worker more and fewer and a reload, and a stop. gunicorn is taken from the virtual
environment that runs this, or else installed into build/gunicorn. The exit code is 1 if something differs.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FILES = ROOT / "ci" / "gunicorn_files"
OURS = ("application.py", "recorder.py")  # in that folder, and no configuration
GUNICORN = "gunicorn==27.0.1"
PATIENCE = 30  # seconds for any one event
LONG_LIVES = ("every_hook", "worker_ids", "dead_processes")  # with signals
SERVER_HOOKS = ("nworkers_changed", "on_starting", "when_ready", "on_reload", "on_exit")
REQUEST_HOOKS = ("pre_request", "post_request")

MEANT = {
    "pre_request fails": "post_request gets None and an empty environ from gunicorn, here those of the request",
    "the access log of a failure": "gunicorn has no path and no length for the 500 that it makes",
    "preload_app": "gunicorn loads before on_starting; here after the addresses are bound, which may fail",
    "a reload, a worker that is replaced": "in gunicorn one ends, another begins; here that is ready first",
    "timeout": "gunicorn's is 30 s by default, and here there is none",
    "pre_fork, child_exit and on_reload that fail": "they end gunicorn; here what serves goes on, and logs it",
    "pre_exec": "it is not compared: both call it in the process that becomes the new binary",
}
"""What differs, and why. What is compared leaves it out."""


class Life:
    """One server with one configuration file, from its start to its end.

    Args:
        command: the server's.
        file: the configuration.
        directory: for its files.
    """

    def __init__(self, command: list[str], file: Path, directory: Path) -> None:
        directory.mkdir()
        self.record, self.access, self.output = directory / "record", directory / "access", directory / "output"
        self.record.touch()
        environment = {
            **os.environ,
            "PYTHONPATH": f"{FILES}{os.pathsep}{ROOT}",
            "GUNICORN_FILE": str(file),
            "RECORD": str(self.record),
            "ACCESS_LOG": str(self.access),
            "CERTIFICATE": str(directory.parent / "certificate.pem"),
        }
        self.process = subprocess.Popen(
            [*command, "-c", str(FILES / "recorder.py"), "application:app"],
            cwd=directory,
            env=environment,
            stdout=self.output.open("wb"),
            stderr=subprocess.STDOUT,
        )

    def lines(self) -> list[dict[str, Any]]:
        """What is recorded so far."""
        return [json.loads(line) for line in self.record.read_text().splitlines()]

    def calls(self, hook: str) -> list[dict[str, Any]]:
        """The calls of a hook so far."""
        return [line for line in self.lines() if line.get("hook") == hook]

    def wait(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait until something has happened."""
        until = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > until or self.process.poll() is not None:
                raise TimeoutError(f"{what}: not seen\n{self.output.read_text()}")
            time.sleep(0.02)

    def wait_for_workers(self, count: int) -> None:
        """Wait until so many workers have come to serve."""
        self.wait(f"{count} workers", lambda: sum("booted" in line for line in self.lines()) >= count)

    def wait_for(self, hook: str, count: int) -> None:
        """Wait until a hook has been called so many times."""
        self.wait(f"{hook} {count} times", lambda: len(self.calls(hook)) >= count)

    def ask(self, path: str) -> list[Any]:
        """A request's answer: its status, its body and some fields."""
        scheme, _, host = self.calls("when_ready")[0]["listeners"][0].partition("://")
        context = ssl._create_unverified_context() if scheme == "https" else None
        client = HTTPSConnection(host, context=context) if context else HTTPConnection(host)
        client.request("GET", path, headers={"X-Sent": "yes", "X-Queue": "3"})
        with client.getresponse() as response:
            body = response.read().decode()
            shown = json.loads(body) if response.headers["Content-Type"] == "application/json" else ""
            return [response.status, response.headers["Content-Type"] if shown else "", shown]

    def live(self, is_long: bool, prefix: str) -> list[list[Any]]:
        """Start, answer, obey signals if *is_long*, stop; the answers."""
        self.wait_for("when_ready", 1)
        workers = self.calls("when_ready")[0]["arguments"][0][2]
        self.wait_for_workers(workers)
        answers = [self.ask(prefix + path) for path in ("/first", "/a%20b?c=1", "/refused", "/failing")]
        if self.record.parent.parent.name == "leaving":
            self.wait_for("child_exit", 1)
            self.wait_for_workers(2)
        if is_long:
            self._obey(workers)
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE)
        return answers

    def _obey(self, workers: int) -> None:
        """A worker more, one fewer, and a reload."""
        self.process.send_signal(signal.SIGTTIN)
        self.wait_for_workers(workers + 1)
        self.process.send_signal(signal.SIGTTOU)
        self.wait_for("child_exit", 1)
        self.process.send_signal(signal.SIGHUP)
        self.wait_for_workers(2 * workers + 1)
        self.wait_for("child_exit", workers + 1)


def account(life: Life, answers: list[list[Any]]) -> dict[str, list[str]]:
    """All that is compared of a life, without what is meant to differ."""
    server: list[str] = []
    workers: dict[int, list[str]] = {}
    requests = []
    for line in life.lines():
        if "booted" in line:
            continue
        text = f"{line['hook']} {line['arguments']}" if "hook" in line else f"{line['logged']}"
        if line.get("hook") in REQUEST_HOOKS or (line["pid"] != life.process.pid and "/" in text):
            requests.append(_without_response(text))  # any worker may have got it
        elif line["pid"] == life.process.pid:
            server.append(text)
        else:
            workers.setdefault(line["pid"], []).append(text)
    access = life.access.read_text().splitlines() if life.access.exists() else []
    in_any_order = [text for text in server if text.partition(" ")[0] not in SERVER_HOOKS]
    return {
        "exit code": [str(life.process.returncode)],
        "server": [text for text in server if text not in in_any_order],
        "server, at the coming and going of workers": sorted(in_any_order),
        "workers": [text for one in sorted(workers.values()) for text in one],
        "requests": sorted(requests),
        "answers": [str(one) for one in answers],
        "access log": sorted(line for line in access if "/failing" not in line),
    }


def _without_response(text: str) -> str:
    return text.partition(", ['environ'")[0] if "'/refused'" in text else text


def compare(name: str, servers: dict[str, list[str]], directory: Path) -> list[str]:
    """Run one file on both servers; what differs."""
    folder = directory / name
    folder.mkdir()
    certificate(folder / "certificate.pem")
    prefix = "/shop" if name == "prefix" else ""
    lives = {server: Life(command, FILES / f"{name}.py", folder / server) for server, command in servers.items()}

    def run(server: str) -> dict[str, Any]:
        life = lives[server]
        try:
            return account(life, life.live(name in LONG_LIVES, prefix))
        except Exception as error:
            raise RuntimeError(f"{server}: {life.output.read_text()}") from error
        finally:
            if life.process.poll() is None:
                life.process.kill()

    with ThreadPoolExecutor() as pool:
        theirs, ours = pool.map(run, servers)
    output = lives["fastwsgi"].output.read_text()
    noise = re.findall(r".*no such setting.*", output) if name != "gauges" else []
    return noise + [
        f"  {key}: {line}"
        for key in theirs
        for line in list(difflib.unified_diff(theirs[key], ours[key], "gunicorn", "fastwsgi", lineterm="", n=0))[2:]
    ]


def certificate(path: Path) -> None:
    """A certificate and its key in one file."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    subprocess.run([*command.split(), "-keyout", path, "-out", f"{path}.only"], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + Path(f"{path}.only").read_bytes())


def gunicorn() -> list[str]:
    """gunicorn's command, which is installed if it is not there."""
    for python in (Path(sys.executable), ROOT / "build" / "gunicorn" / "bin" / "python"):
        if python.exists() and subprocess.run([python, "-c", "import gunicorn"], capture_output=True).returncode == 0:
            return [str(python), "-m", "gunicorn"]
    venv.create(ROOT / "build" / "gunicorn", with_pip=True)
    python = ROOT / "build" / "gunicorn" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", GUNICORN], check=True)
    return [str(python), "-m", "gunicorn"]


def main() -> int:
    """Compare all files, or those named; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    known = sorted(path.stem for path in FILES.glob("*.py") if path.name not in OURS)
    parser.add_argument("files", nargs="*", default=known, help=", ".join(known))
    names = parser.parse_args().files
    servers = {"gunicorn": [*gunicorn(), "--no-control-socket"], "fastwsgi": [sys.executable, "-m", "fastwsgi"]}
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        for name in names:
            began = time.monotonic()
            differences = compare(name, servers, Path(directory))
            print(f"{name}: {'differs' if differences else 'alike'} ({time.monotonic() - began:.1f} s)", flush=True)
            for text in differences:
                print(text)
            failed += bool(differences)
    print(f"{len(names) - failed} of {len(names)} files alike; meant to differ:")
    for what, reason in MEANT.items():
        print(f"  {what}: {reason}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
