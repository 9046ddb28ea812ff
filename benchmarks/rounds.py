"""The rounds of a profile: every server in turn, again and again, each time in a fresh, warmed-up process.

Taking turns lets a machine that drifts drift for all servers alike.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from check import HELD_BACK, check, holds_back
from launch import ServerFailed, running
from load import drive
from measure import cpu_seconds, pss_mib, steal_seconds
from profiles import Profile
from results import Results, Round
from servers import Server

WARM_UP_SECONDS = 1


def compare(
    results: Results, profile: Profile, servers: Sequence[Server], pythons: Mapping[str, str]
) -> None:
    """Measure the servers under one profile; pythons has each server's interpreter by its name."""
    if profile.streams:
        for server in servers:
            note_streaming(results, profile, server, pythons[server.name])
    rounds = results.settings["rounds"]
    for turn in range(1, rounds + 1):
        for server in servers:
            told = attempt(results, profile, server, pythons[server.name])
            print(f"{profile.name:9} round {turn}/{rounds}  {server.name:18} {told}", file=sys.stderr)


def note_streaming(results: Results, profile: Profile, server: Server, python: str) -> None:
    """Note a server that does not stream what it is given as a stream."""
    try:
        with running(server, python, "trickle", results.settings["server_core"]) as (_, port):
            if holds_back(port):
                results.add_note(profile.name, server.name, HELD_BACK)
    except ServerFailed as error:
        results.add_failure(profile.name, server.name, str(error))


def attempt(results: Results, profile: Profile, server: Server, python: str) -> str:
    """Measure once, unless the server failed before; returns the words that tell."""
    if server.name not in results.failed.get(profile.name, {}):
        try:
            one = measure(profile, server, python, results.settings)
        except ServerFailed as error:
            results.add_failure(profile.name, server.name, str(error))
        else:
            results.add_round(profile.name, server.name, one)
            return f"{one.cpu_us:9.2f} µs {one.requests_per_second:9,.0f}/s {one.errors:3} errors"
    return f"failed: {results.failed[profile.name][server.name]}"


def measure(profile: Profile, server: Server, python: str, settings: Mapping[str, int]) -> Round:
    """Start a server, check its answer, warm it up, load it. Raises ServerFailed."""
    with running(server, python, profile.app, settings["server_core"], profile.tls) as (session, port):
        check(profile, port)
        drive(profile, port, WARM_UP_SECONDS)
        before, steal_before = cpu_seconds(session), steal_seconds()
        load = drive(profile, port, settings["seconds"])
        spent, stolen = cpu_seconds(session) - before, steal_seconds() - steal_before
        memory = pss_mib(session)
    if not spent:
        raise ServerFailed(f"{load.requests} requests took too little CPU time to measure")
    latency = profile.depth == 1  # wrk's percentiles are right for one request at a time only
    return Round(
        requests=load.requests,
        seconds=load.seconds,
        requests_per_second=round(load.requests / load.seconds, 1),
        cpu_us=round(spent / load.requests * 1e6, 3),
        p50_ms=load.p50_ms if latency else None,
        p99_ms=load.p99_ms if latency else None,
        pss_mib=round(memory, 2),
        steal_percent=round(stolen / load.seconds * 100, 1),
        errors=load.errors,
    )
