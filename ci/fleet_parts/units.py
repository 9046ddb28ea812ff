"""A stand-in for systemctl on a machine of the rack: reads a unit as systemd does, as far as the units of the test go.

    units.py start|stop|restart|reload UNIT
    units.py kill -s SIGNAL UNIT

`start` waits for READY=1 of a unit with Type=notify, or fails once it ends or TimeoutStartSec is over, as systemd does.
A keeper, one for each unit that runs, has its notify socket; it follows MAINPID and ends with the last main process.
What the unit prints is in /var/log/UNIT.out.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

STEP = 0.01
UNITS = Path(os.environ["RACK"], os.environ["MACHINE"], "units")


class Unit:
    """A file NAME.service, and what runs of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.settings: dict[str, list[str]] = {}
        for line in (UNITS / f"{name}.service").read_text().splitlines():
            if match := re.fullmatch(r"(\w+)=(.*)", line):
                self.settings.setdefault(match[1], []).append(match[2])
        self.state = Path(f"/run/{name}.state")  # "starting", "active" or "ended CODE", then the main process

    def get(self, key: str, default: str) -> str:
        """The last value of a setting."""
        return self.settings.get(key, [default])[-1]

    def seconds(self, key: str) -> float:
        """A setting in seconds."""
        return float(self.get(key, "90"))

    def look(self) -> tuple[str, int]:
        """Its state, and its main process."""
        try:
            word, pid = self.state.read_text().split()
        except FileNotFoundError:
            return "ended", 0
        alive = Path(f"/proc/{pid}").exists()
        return (word if alive or word == "ended" else "ended"), int(pid)

    def note(self, word: str, pid: int) -> None:
        """Put down what `look()` gives."""
        new = self.state.with_suffix(".new")
        new.write_text(f"{word} {pid}\n")
        new.rename(self.state)

    def start(self) -> int:
        """As systemctl's; the exit code."""
        if self.look()[0] == "active":
            return 0
        self.note("starting", os.getpid())
        null = subprocess.DEVNULL
        keeper = [sys.executable, __file__, "keep", self.name]
        subprocess.Popen(keeper, stdin=null, stdout=null, stderr=null, start_new_session=True)
        until = time.monotonic() + self.seconds("TimeoutStartSec")
        while (state := self.look()[0]) == "starting":
            if time.monotonic() > until:
                print(f"{self.name}.service: start timed out", file=sys.stderr)
                self.stop()
                return 1
            time.sleep(STEP)
        if state != "active":
            print(f"{self.name}.service: failed to start, see /var/log/{self.name}.out", file=sys.stderr)
        return int(state != "active")

    def stop(self) -> int:
        """TERM, and KILL after TimeoutStopSec."""
        until = time.monotonic() + self.seconds("TimeoutStopSec")
        pid = self.look()[1]
        for number in (signal.SIGTERM, signal.SIGKILL):
            if pid and self.look()[0] != "ended":
                os.kill(pid, number)
            while self.look()[0] != "ended" and (number == signal.SIGKILL or time.monotonic() < until):
                time.sleep(STEP)
        return 0

    def reload(self) -> int:
        """Its ExecReload lines, in order, up to the first that fails."""
        variables = {**os.environ, "MAINPID": str(self.look()[1])}
        for line in self.settings.get("ExecReload", []):
            if code := subprocess.call(["sh", "-c", line], env=variables):
                return code
        return 0

    def keep(self) -> int:
        """Run it, as its keeper."""
        address = f"/run/{self.name}.notify"
        Path(address).unlink(missing_ok=True)
        notify = self.get("Type", "simple") == "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as news, open(f"/var/log/{self.name}.out", "ab") as log:
            news.bind(address)
            news.settimeout(STEP)
            variables = {**os.environ, "NOTIFY_SOCKET": address} if notify else dict(os.environ)
            variables.update(one.split("=", 1) for one in shlex.split(self.get("Environment", "")))
            line = shlex.split(self.get("ExecStart", ""))
            folder = self.get("WorkingDirectory", "/")
            process = subprocess.Popen(line, cwd=folder, env=variables, stdout=log, stderr=log)
            state, main = "starting" if notify else "active", process.pid
            self.note(state, main)
            while process.poll() is None or (main != process.pid and Path(f"/proc/{main}").exists()):
                try:
                    words = dict(one.partition("=")[::2] for one in news.recv(4096).decode().splitlines())
                except socket.timeout:
                    continue
                main = int(words.get("MAINPID", main))
                state = "active" if words.get("READY") == "1" else state
                self.note(state, main)
            self.note("ended", main)
        return 0


def main(words: list[str]) -> int:
    """Do as told; the exit code."""
    verb, name = words[0], words[-1].removesuffix(".service")
    unit = Unit(name)
    if verb == "restart":
        return unit.stop() or unit.start()
    if verb == "kill":
        os.kill(unit.look()[1], signal.Signals[f"SIG{words[words.index('-s') + 1].removeprefix('SIG')}"])
        return 0
    return int({"start": unit.start, "stop": unit.stop, "reload": unit.reload, "keep": unit.keep}[verb]())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
