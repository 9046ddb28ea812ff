"""The rounds of a profile: all its servers are started and stay up, and bursts of load go from one to the next.

A shared machine drifts within minutes by more than servers differ, and two processes of one server differ, too. So a
pass loads each server once, for less than a second, and two servers are compared by their bursts of one pass; every
other pass goes backwards, and every round has new processes.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from bursts import Contender
from check import HELD_BACK, holds_back
from launch import ServerFailed, running
from profiles import Profile
from results import Results
from servers import Server

LEAST_PASSES = 2  # one backwards and one forwards


def compare(
    results: Results, profile: Profile, servers: Sequence[Server], pythons: Mapping[str, str], end: float
) -> None:
    """Measure the servers under one profile; bursts and rounds for which there is no time are left out.

    Args:
        pythons: each server's interpreter by its name.
        end: when to be done, by the monotonic clock; there is one round in any case.
    """
    for server in servers if profile.streams else ():
        note_streaming(results, profile, server, pythons[server.name])
    core, rounds = int(results.settings["server_core"]), int(results.settings["rounds"])
    for left in range(rounds, 0, -1):
        begun = time.monotonic()
        if left < rounds and begun >= end:
            break
        well = [Contender(profile, server, pythons[server.name], core) for server in servers
                if server.name not in results.failed.get(profile.name, {})]
        one_round(results, profile, well, begun + (end - begun) / left)
        tell(results, profile, f"round {rounds - left + 1}/{rounds}, {time.monotonic() - begun:.0f} s")


def note_streaming(results: Results, profile: Profile, server: Server, python: str) -> None:
    """Note a server that does not stream what it is given as a stream."""
    try:
        with running(server, python, "trickle", int(results.settings["server_core"])) as (_, port):
            if holds_back(port):
                results.add_note(profile.name, server.name, HELD_BACK)
    except ServerFailed as error:
        results.add_failure(profile.name, server.name, str(error))


def one_round(results: Results, profile: Profile, contenders: list[Contender], end: float) -> None:
    """Start the servers, load them in passes until the time is over, stop them."""
    with contextlib.ExitStack() as stack:
        for one in contenders:
            stack.callback(one.stop)
        up = each(results, profile, contenders, Contender.start)
        lasted = 0.0
        for number in range(int(results.settings["bursts"])):
            begun = time.monotonic()
            if number >= LEAST_PASSES and begun + lasted > end:
                break
            up = one_pass(results, profile, up[::-1], at_a_rate=number < results.settings["open_bursts"])
            lasted = time.monotonic() - begun
        for one in up:
            results.add_round(profile.name, one.server.name, one.round())


def one_pass(results: Results, profile: Profile, up: list[Contender], at_a_rate: bool) -> list[Contender]:
    """Load each server once, and once more at a rate if that is wanted: those that did not fail."""
    seconds, open_seconds = results.settings["seconds"], results.settings["open_seconds"]

    def load(one: Contender) -> None:
        one.burst(seconds)
        if at_a_rate:
            one.burst_at_a_rate(open_seconds)

    return each(results, profile, up, load)


def each(
    results: Results, profile: Profile, contenders: list[Contender], action: Callable[[Contender], None]
) -> list[Contender]:
    """Do something with each: those that it went well with; the others are stopped, and named in the results."""
    well = []
    for one in contenders:
        try:
            action(one)
        except ServerFailed as error:
            one.stop()
            results.add_failure(profile.name, one.server.name, str(error))
        else:
            well.append(one)
    return well


def tell(results: Results, profile: Profile, which: str) -> None:
    """Say on stderr what the last round has shown."""
    for name, rounds in results.rounds.get(profile.name, {}).items():
        last = rounds[-1]
        p99 = f", p99 {last.open_p99_ms:.2f} ms at a rate" if last.open_p99_ms is not None else ""
        print(f"{profile.name:15} {which}  {name:18} {last.median('cpu_us'):9.2f} µs "
              f"{last.median('requests_per_second'):9,.0f}/s, {len(last.cpu_us)} bursts, {last.errors} errors{p99}",
              file=sys.stderr)
    for name, reason in results.failed.get(profile.name, {}).items():
        print(f"{profile.name:15} {which}  {name:18} failed: {reason}", file=sys.stderr)
