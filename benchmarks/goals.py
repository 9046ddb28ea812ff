"""The goals, and how far a run is from them: ours beside the best peer, the floor and one thread, pass by pass.

A ratio is made of the bursts of the same pass, so that a machine that drifts drifts out of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from profiles import PROFILES
from results import Results, spread
from servers import SERVERS

FLOOR, ONE_THREAD, OURS, GUNICORN = "floor", "fastwsgi-t1", "fastwsgi", "gunicorn"

NO_PEERS = {server.name for server in SERVERS.values() if server.ours or server.native}

OF_THE_BEST = {  # CPU per request, at most
    "hello": 0.95, "browser": 0.86, "vary": 0.95, "pipeline": 0.40, "close": 0.80, "post": 0.93, "body64k": 0.93,
    "body1m": 0.95, "stream": 1.00, "tls": 0.90, "tls-close": 1.00, "tls-new": 1.00, "flask": 1.00,
    "flask-template": 1.00, "django": 1.00, "falcon": 1.00, "upload": 1.00, "download": 1.00, "download-django": 1.00,
}
OF_THE_FLOOR = {"hello": 1.12}
OF_ONE_THREAD = {("hello", OURS): 1.02, ("hello", "fastwsgi-t16"): 1.03, ("flask", OURS): 1.01, ("django", OURS): 1.01}

WHY: dict[str, str] = {
    "hello": "four fifths of it are the kernel's, as the floor shows",
    "body64k": "nearly all of it is the kernel's, as the floor shows",
    "flask": "the application empties the caches, and a request of ours then reads more code than one of the best peer",
    "tls": "near half of the instructions are OpenSSL's, by way of Python's ssl module; the best peer has BoringSSL",
    "tls-close": "19 of 20 instructions are OpenSSL's, by way of Python's ssl module; the best peer has BoringSSL",
}
"""Why a profile's goal is not reached, in a sentence; told only where it is not."""


@dataclass(frozen=True)
class Ratio:
    """Of one server's figure to another's: the median over all passes, and their 10th and 90th percentile."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def ratio(results: Results, profile: str, server: str, other: str | None, figure: str) -> Ratio | None:
    """None where one of them was not measured."""
    pairs = zip(results.values(profile, server, figure), results.values(profile, other or "", figure))
    found = [one / another for one, another in pairs if another]
    return Ratio(median(found), *spread(found)) if found else None


def ours(profile: str) -> str:
    """The one of ours that is compared: with as many threads for the application as the peers have."""
    return ONE_THREAD if profile in PROFILES and PROFILES[profile].threads == 1 else OURS


def best_peer(results: Results, profile: str, figure: str = "cpu_us", most: bool = False) -> str | None:
    """The peer with the least, or the most, of a figure among those whose work is comparable."""
    found = {
        server: value for server in results.servers
        if results.comparable(profile, server) and server not in NO_PEERS
        and (value := results.median(profile, server, figure)) is not None
    }
    return (max if most else min)(found, key=lambda server: found[server], default=None)


def verdict(found: Ratio | None, goal: float | None, at_least: bool = False) -> str:
    """The goal, and whether it is reached, judged as it is shown: by two digits of the median."""
    if goal is None or found is None:
        return "-"
    shown = round(found.median, 2)
    reached = shown >= goal if at_least else shown <= goal
    return f"{'≥' if at_least else '≤'} {goal:.2f}: {'reached' if reached else f'**not reached: {shown:.2f}**'}"
