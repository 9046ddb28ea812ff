"""The rounds of a profile: every server in turn, again and again, each time in a fresh, warmed-up process.

Taking turns lets a machine that drifts drift for all servers alike.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from check import HELD_BACK, check, holds_back
from launch import ServerFailed, running
from load import Load, drive, drive_at
from measure import cpu_seconds, pss_mib, steal_seconds, waits
from profiles import Profile
from programs import COMPILER
from results import Results, Round
from servers import Server

WARM_UP_SECONDS = 0.5
SHARE = 0.8  # of its own peak: the rate at which a server's latency is told


def compare(
    results: Results, profile: Profile, servers: Sequence[Server], pythons: Mapping[str, str]
) -> None:
    """Measure the servers under one profile; pythons has each server's interpreter by its name."""
    if profile.streams:
        for server in servers:
            note_streaming(results, profile, server, pythons[server.name])
    rounds = int(results.settings["rounds"])
    for turn in range(1, rounds + 1):
        for server in servers:
            told = attempt(results, profile, server, pythons[server.name], turn)
            print(f"{profile.name:15} round {turn}/{rounds}  {server.name:18} {told}", file=sys.stderr)


def note_streaming(results: Results, profile: Profile, server: Server, python: str) -> None:
    """Note a server that does not stream what it is given as a stream."""
    try:
        with running(server, python, "trickle", int(results.settings["server_core"])) as (_, port):
            if holds_back(port):
                results.add_note(profile.name, server.name, HELD_BACK)
    except ServerFailed as error:
        results.add_failure(profile.name, server.name, str(error))


def attempt(results: Results, profile: Profile, server: Server, python: str, turn: int) -> str:
    """Measure once, unless the server failed before; returns the words that tell."""
    if server.name not in results.failed.get(profile.name, {}):
        try:
            one = measure(profile, server, python, results.settings, turn)
        except ServerFailed as error:
            results.add_failure(profile.name, server.name, str(error))
        else:
            results.add_round(profile.name, server.name, one)
            p99 = f", p99 {one.open_p99_ms:.2f} ms" if one.open_p99_ms is not None else ""
            return f"{one.cpu_us:9.2f} µs {one.requests_per_second:9,.0f}/s, {one.errors} errors{p99}"
    return f"failed: {results.failed[profile.name][server.name]}"


def measure(profile: Profile, server: Server, python: str, settings: Mapping[str, float], turn: int) -> Round:
    """Start a server, check its answer, warm it up, load it. Raises ServerFailed."""
    core = int(settings["server_core"])
    with running(server, python, profile.app, core, profile.tls, threads=profile.threads) as (session, port):
        check(profile, port)
        warm_up(profile, port)
        cpu, waited, stolen = cpu_seconds(session), waits(session), steal_seconds()
        load = drive(profile, port, int(settings["seconds"]))
        cpu, waited, stolen = cpu_seconds(session) - cpu, waits(session) - waited, steal_seconds() - stolen
        memory = pss_mib(session)
        steady = None
        if turn <= settings["open_rounds"] and opens(profile, server):
            steady = drive_at(profile, port, settings["open_seconds"], SHARE * load.requests / load.seconds)
    if not cpu:
        raise ServerFailed(f"{load.requests} requests took too little CPU time to measure")
    latency = profile.depth == 1  # wrk's percentiles are right for one request at a time only
    return Round(
        requests=load.requests,
        seconds=load.seconds,
        requests_per_second=round(load.requests / load.seconds, 1),
        cpu_us=round(cpu / load.requests * 1e6, 3),
        waits=round(waited / load.requests, 4),
        p50_ms=load.p50_ms if latency else None,
        p99_ms=load.p99_ms if latency else None,
        open_p99_ms=steady.p99_ms if steady else None,
        pss_mib=round(memory, 2),
        steal_percent=round(stolen / load.seconds * 100, 1),
        errors=load.errors + (steady.errors if steady else 0),
    )


def warm_up(profile: Profile, port: int) -> Load:
    return drive_at(profile, port, WARM_UP_SECONDS, 0) if COMPILER and not profile.tls else drive(profile, port, 1)


def opens(profile: Profile, server: Server) -> bool:
    """Whether latency is measured at a rate: load.c speaks no TLS and no HTTP/1.0, and the floor takes naps."""
    return COMPILER is not None and not (profile.tls or profile.tool == "ab" or server.native)
