"""Measure fastwsgi beside its peers: `python benchmarks/run.py`, see README.md."""

from __future__ import annotations

import argparse
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import peers
from launch import HERE
from machine import facts
from measure import cores
from profiles import PROFILES, Profile
from programs import program
from report import publish, render
from results import Results
from rounds import compare
from servers import SERVERS, Server

BUILD = HERE.parent / "build"
QUICK = {"servers": "fastwsgi,fastwsgi-pure", "profiles": "hello", "rounds": 1, "bursts": 4, "seconds": 0.3,
         "output": BUILD / "benchmarks"}
Row = TypeVar("Row")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and report. The exit status is 1 if fastwsgi was skipped, failed or had errors."""
    options = parse(arguments)
    servers, profiles = pick(options.servers, SERVERS), pick(options.profiles, PROFILES)
    require(tools(profiles))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # so that servers are stopped, too

    if any(profile.in_framework for profile in profiles):
        os.environ["PYTHONPATH"] = peers.frameworks(BUILD / "frameworks")
    pythons = interpreters(servers, options)
    present, skipped = installed(servers, pythons)
    if not present:
        sys.exit("none of these servers is installed")
    client_core, server_core = cores()
    os.sched_setaffinity(0, {client_core})
    results = Results(
        machine=facts(),
        settings={"rounds": options.rounds, "bursts": options.bursts, "seconds": options.seconds,
                  "open_bursts": options.open_bursts, "open_seconds": options.open_seconds,
                  "client_core": client_core, "server_core": server_core},
        servers=present,
        skipped=skipped,
        profiles={profile.name: profile.about for profile in profiles},
    )
    json = options.json or options.output / "results.json"
    earlier = Results.load(json) if options.add and json.exists() else Results({}, {}, {}, {}, {})
    if earlier.conflict(results):
        sys.exit(f"cannot add to {json}: {earlier.conflict(results)}")
    end = time.monotonic() + options.minutes * 60
    for left, profile in zip(range(len(profiles), 0, -1), profiles):
        begun = time.monotonic()
        compare(results, profile, takers(profile, servers, present), pythons, begun + (end - begun) / left)
        earlier.merge(results)
        earlier.save(json)
    publish(json, options.output)
    print(render(results))
    return int(in_trouble(results, [server.name for server in servers if server.ours]))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure fastwsgi beside its peers.")
    add = parser.add_argument
    add("--servers", default=",".join(SERVERS), metavar="A,B", help=f"any of {', '.join(SERVERS)}")
    add("--profiles", default=",".join(PROFILES), metavar="X,Y", help=f"any of {', '.join(PROFILES)}")
    add("--rounds", type=int, default=3, metavar="N",
        help="starts of all servers of a profile, which then are up together (%(default)s)")
    add("--bursts", type=int, default=10, metavar="N", help="of load for each of them then, in turn (%(default)s)")
    add("--seconds", type=float, default=0.5, metavar="N",
        help="length of a burst; wrk and ab know only whole ones (%(default)s)")
    add("--minutes", type=float, default=math.inf, metavar="N",
        help="for all; leaves out bursts, so that each profile and round has its share (no limit)")
    add("--open-bursts", type=int, default=2, metavar="N",
        help="how many of the bursts are followed by one at 80 %% of that peak, for latency (%(default)s)")
    add("--open-seconds", type=float, default=0.5, metavar="N", help="length of that (%(default)s)")
    add("--add", action="store_true", help="keep what --json has of other profiles; of the same machine and versions")
    add("--peers-python", metavar="PATH", help="interpreter that has the peers; nothing is installed then")
    add("--peers-venv", type=Path, default=BUILD / "peers", metavar="DIR",
        help="virtual environment to make and keep for the peers (build/peers)")
    add("--json", type=Path, metavar="FILE", help="where the results go (results.json in --output)")
    add("--output", type=Path, default=HERE, metavar="DIR",
        help="where README.md gets its tables and results.svg is drawn (benchmarks)")
    add("--quick", action="store_true", help="a smoke test: hello on fastwsgi for some seconds, into build/benchmarks")
    if parser.parse_args(arguments).quick:
        parser.set_defaults(**QUICK)
    return parser.parse_args(arguments)


def pick(names: str, table: Mapping[str, Row]) -> list[Row]:
    """The rows of a table by their names with commas between; exits at an unknown one."""
    unknown = [name for name in names.split(",") if name not in table]
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; there are {', '.join(table)}")
    return [table[name] for name in names.split(",")]


def takers(profile: Profile, servers: Iterable[Server], present: Iterable[str]) -> list[Server]:
    """The servers that take part in a profile."""
    return [server for server in servers if server.name in present and profile.name in (server.only or PROFILES)
            and (server.tls or not profile.tls) and (server.files or not profile.is_static)]


def tools(profiles: Iterable[Profile]) -> set[str]:
    return {"taskset", *("openssl" for profile in profiles if profile.tls),
            *("cc" if profile.tool == "load" else profile.tool for profile in profiles)}


def require(tools: Iterable[str]) -> None:
    missing = sorted(tool for tool in tools if shutil.which(tool) is None)
    if missing:
        packages = "wrk, apache2-utils, util-linux, openssl, gcc"
        sys.exit(f"not installed: {', '.join(missing)} (Debian and Ubuntu: {packages})")


def interpreters(servers: Iterable[Server], options: argparse.Namespace) -> dict[str, str]:
    """The interpreter of each server: this one for ours, that of the peers' environment for the others."""
    wanted = {server.distribution for server in servers if server.distribution and not server.ours}
    theirs = options.peers_python or (peers.prepare(options.peers_venv, wanted) if wanted else "")
    return {server.name: theirs if server.distribution and not server.ours else sys.executable for server in servers}


def installed(
    servers: Iterable[Server], pythons: Mapping[str, str]
) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Which servers there are, with version and arguments, and which not, with the reason."""
    present, skipped = {}, {}
    for server in servers:
        version, reason = found(server, pythons[server.name])
        if reason:
            skipped[server.name] = reason
            print(f"skipping {server.name}: {skipped[server.name]}", file=sys.stderr)
        else:
            present[server.name] = {"version": version, "arguments": " ".join(server.arguments)}
    return present, skipped


def found(server: Server, python: str) -> tuple[str, str]:
    """The version of a server, or why there is none."""
    if server.native:
        try:
            program(server.name)
        except OSError as error:
            return "", f"no C compiler made it: {error}"
        return "of this folder", ""
    if server.tool:
        if shutil.which(server.tool) is None:
            return "", f"{server.tool} is not installed"
        return subprocess.run([server.tool, "-v"], capture_output=True, text=True).stderr.strip().rpartition("/")[2], ""
    version = peers.versions(python, [server.distribution]).get(server.distribution, "")
    return version, "" if version else f"{server.distribution} is not installed"


def in_trouble(results: Results, servers: Iterable[str]) -> bool:
    """Whether one of the servers was skipped, failed or had errors under any profile."""
    return any(
        server in results.skipped
        or server in results.failed.get(profile, {})
        or results.errors(profile, server) > 0
        for server in servers
        for profile in results.profiles
    )


if __name__ == "__main__":
    sys.exit(main())
