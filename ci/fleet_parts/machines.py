"""Machines of one rack: network namespaces on a bridge, each with folders of its own, and nothing else beside them.

    with Rack(folder) as rack:
        shop1 = rack.add("shop1", "10.0.0.11")
        shop1.run("systemctl start shop")     # as `ssh shop1 "systemctl start shop"` does, which is there, too

A machine has its own /etc/haproxy, /etc/nginx, /run, /srv and /var/log, which are folders of *folder*. `ssh` and
`systemctl` are stand-ins (units.py); all else is the system's. The bridge is in a namespace, too, so that
nothing of it can be reached from outside.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ETC = ("haproxy", "nginx")
OWN = ("run", "srv", "var/log")
CLONE_NEWNET = 0x40000000
UNITS = Path(__file__).with_name("units.py")

SSH = """#!/bin/sh
# ssh HOST COMMAND...: run it on that machine of the rack
machine=$1; shift
export RACK={folder} MACHINE=$machine
exec ip netns exec "{prefix}$machine" sh -c '
    for own in {own}; do mount --bind "$RACK/$MACHINE/$own" "/$own"; done
    cd / && exec sh -c "$1"' sh "$*"
"""
SYSTEMCTL = """#!/bin/sh
exec {python} {units} "$@"
"""


class NoNamespaces(Exception):
    """Network namespaces cannot be made here."""


def command(*words: str) -> str:
    """Run a command: what it prints. Raises OSError with its own words if it fails."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"{shlex.join(words)}: {(done.stderr or done.stdout).strip() or f'exit code {done.returncode}'}")
    return done.stdout


def kill_all(space: str) -> None:
    """SIGKILL to all processes of a namespace, until none is left."""
    while pids := command("ip", "netns", "pids", space).split():
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


class Machine:
    """One of them.

    Args:
        rack: where it stands.
        name: what `ssh` calls it.
        address: of its only interface, eth0.
    """

    def __init__(self, rack: Rack, name: str, address: str) -> None:
        self.rack = rack
        self.name = name
        self.address = address
        self.space = rack.prefix + name
        self.folder = rack.folder / name
        for own in OWN:
            (self.folder / own).mkdir(parents=True)
        self.etc = Path("/etc/netns", self.space)  # `ip netns exec` binds what is there over /etc
        for part in ETC:
            (self.etc / part).mkdir(parents=True)
        (self.folder / "units").mkdir()
        command("ip", "netns", "add", self.space)
        command("ip", "-n", self.space, "link", "set", "lo", "up")
        peer = ("peer", "name", name, "netns", rack.switch)
        command("ip", "-n", self.space, "link", "add", "eth0", "type", "veth", *peer)
        command("ip", "-n", rack.switch, "link", "set", name, "master", "rack", "up")
        command("ip", "-n", self.space, "address", "add", f"{address}/24", "dev", "eth0")
        command("ip", "-n", self.space, "link", "set", "eth0", "up")

    def unit(self, name: str, text: str) -> None:
        """Have a unit of systemd's."""
        (self.folder / "units" / f"{name}.service").write_text(text)

    def run(self, line: str) -> str:
        """Run a shell's *line* there: what it prints. Raises OSError if it fails."""
        return command(str(self.rack.bin / "ssh"), self.name, line)

    def log(self, name: str) -> str:
        """What is in /var/log/NAME."""
        return (self.folder / f"var/log/{name}").read_text("latin-1")

    def kill(self) -> None:
        """SIGKILL to all its processes."""
        kill_all(self.space)

    def cut(self, up: bool = False) -> None:
        """Pull its cable, or put it back."""
        command("ip", "-n", self.rack.switch, "link", "set", self.name, "up" if up else "down")

    def enter(self) -> None:
        """Have the sockets that this thread makes from now on be of this machine."""
        with open(f"/run/netns/{self.space}") as space:
            if ctypes.CDLL(None, use_errno=True).setns(space.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")


class Rack:
    """The bridge and its machines, which end with the `with`.

    Raises:
        NoNamespaces: They cannot be made, for want of privileges or in the kernel.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prefix = f"fastwsgi-{os.getpid()}-"
        self.switch = self.prefix + "switch"
        self.bin = folder / "bin"

    def __enter__(self) -> Rack:
        try:
            command("ip", "netns", "add", self.switch)
        except OSError as error:
            raise NoNamespaces(str(error)) from None
        try:
            command("ip", "-n", self.switch, "link", "add", "rack", "type", "bridge")
            command("ip", "-n", self.switch, "link", "set", "rack", "up")
        except OSError as error:
            self.__exit__()
            raise NoNamespaces(str(error)) from None
        self.bin.mkdir()
        own = " ".join(OWN)
        self._tool("ssh", SSH.format(folder=shlex.quote(str(self.folder)), prefix=self.prefix, own=own))
        self._tool("systemctl", SYSTEMCTL.format(python=shlex.quote(sys.executable), units=shlex.quote(str(UNITS))))
        os.environ["PATH"] = f"{self.bin}:{os.environ['PATH']}"
        return self

    def __exit__(self, *exception: object) -> None:
        spaces = [line.split()[0] for line in command("ip", "netns", "list").splitlines()]
        for space in spaces:
            if space.startswith(self.prefix):
                kill_all(space)
                command("ip", "netns", "delete", space)
                shutil.rmtree(Path("/etc/netns", space), ignore_errors=True)

    def add(self, name: str, address: str) -> Machine:
        """A machine more."""
        return Machine(self, name, address)

    def _tool(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)
