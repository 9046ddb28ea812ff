"""The load: driving our own load.c, wrk and ab, and reading what they print.

load.c makes it wherever HTTP/1.1 is spoken plainly: it can do all that profiles ask for, in bursts of any length and at
a constant rate. wrk makes it over TLS, where it keeps connections and resumes sessions; ab where a connection
ends after each request by HTTP/1.0, over TLS with a full handshake for each.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from launch import HERE, ServerFailed
from profiles import Profile
from programs import program
from wire import requests

MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
SECONDS = {unit: milliseconds / 1000 for unit, milliseconds in MILLISECONDS.items()}
GRACE_SECONDS = 30  # a tool that has not ended by then hangs
AB_REQUESTS_PER_SECOND = 100_000  # ab wants a bound; more than it can make


@dataclass(frozen=True)
class Load:
    """What the clients saw: completed requests in how many seconds, latency in ms, errors of any kind."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: int


def drive(profile: Profile, port: int, seconds: float) -> Load:
    """Load a server as much as it can take. Raises ServerFailed if nothing was completed.

    Args:
        seconds: wrk and ab know only whole ones, and so take one at least.
    """
    whole = max(1, round(seconds))
    url = f"{'https' if profile.tls else 'http'}://127.0.0.1:{port}{profile.path}"
    if profile.tool == "load":
        load = drive_at(profile, port, seconds, 0)
    elif profile.tool == "ab":
        load = parse_ab(run(ab_command(profile, url, whole), b"", whole))
    else:
        load = parse_wrk(run(wrk_command(profile, url, whole), b"", whole))
    if load.requests == 0:
        raise ServerFailed(f"{profile.tool} completed no request")
    return load


def drive_at(profile: Profile, port: int, seconds: float, rate: float) -> Load:
    """Send *rate* requests a second, as many as the server can take if that is 0. Raises ServerFailed."""
    texts = requests(profile)
    numbers = (port, profile.connections, seconds, rate / profile.depth, profile.depth, len(texts))
    return parse_load(run([program("load"), *map(str, numbers)], b"".join(texts), seconds))


def run(command: list[str], given: bytes, seconds: float) -> str:
    """What the tool prints. Raises ServerFailed."""
    tool = Path(command[0]).name
    try:
        done = subprocess.run(command, cwd=HERE, timeout=seconds + GRACE_SECONDS, input=given, capture_output=True)
    except subprocess.TimeoutExpired:
        raise ServerFailed(f"{tool} did not end") from None
    if done.returncode != 0:
        raise ServerFailed(f"{tool} failed: {done.stderr.decode().strip() or 'no answer'}")
    return done.stdout.decode()


def wrk_command(profile: Profile, url: str, seconds: int) -> list[str]:
    return ["wrk", "-t1", f"-c{profile.connections}", f"-d{seconds}s", "--latency", *fields(profile), url]


def ab_command(profile: Profile, url: str, seconds: int) -> list[str]:
    limit = str(seconds * AB_REQUESTS_PER_SECOND)
    return ["ab", "-q", "-r", "-c", str(profile.connections), "-t", str(seconds), "-n", limit,
            "-e", "/dev/stdout", *fields(profile), url]


def fields(profile: Profile) -> list[str]:
    return [part for name, value in profile.headers.items() for part in ("-H", f"{name}: {value}")]


def parse_wrk(output: str) -> Load:
    """Read the report of `wrk --latency`."""
    requests, duration, unit = search(r"(\d+) requests in ([\d.]+)(us|ms|s|m)", output)
    errors = re.findall(r"(?:connect|read|write|timeout) (\d+)|Non-2xx or 3xx responses: (\d+)", output)
    return Load(
        requests=int(requests),
        seconds=float(duration) * SECONDS[unit],
        p50_ms=wrk_percentile(50, output),
        p99_ms=wrk_percentile(99, output),
        errors=sum(int(socket or status) for socket, status in errors),
    )


def wrk_percentile(percent: int, output: str) -> float:
    value, unit = search(rf"^ +{percent}% +([\d.]+)(us|ms|s|m) *$", output)
    return float(value) * MILLISECONDS[unit]


def parse_ab(output: str) -> Load:
    """Read the report of `ab -e /dev/stdout`: its percentiles in the text have no fractions."""
    failures = re.findall(r"^(?:Failed requests|Non-2xx responses): +(\d+)", output, re.M)
    return Load(
        requests=int(search(r"^Complete requests: +(\d+)", output)[0]),
        seconds=float(search(r"^Time taken for tests: +([\d.]+)", output)[0]),
        p50_ms=float(search(r"^50,([\d.]+)$", output)[0]),
        p99_ms=float(search(r"^99,([\d.]+)$", output)[0]),
        errors=sum(map(int, failures)),
    )


def parse_load(output: str) -> Load:
    """Read the report of load.c."""
    numbers = r"(\d+) requests in ([\d.]+) s, p50 ([\d.]+) ms, p99 ([\d.]+) ms, (\d+) errors"
    requests, seconds, p50, p99, errors = search(numbers, output)
    return Load(int(requests), float(seconds), float(p50), float(p99), int(errors))


def search(pattern: str, text: str) -> tuple[str, ...]:
    """The groups of the first match. Raises ValueError when the tool printed something else."""
    match = re.search(pattern, text, re.M)
    if match is None:
        raise ValueError(f"no {pattern!r} in:\n{text}")
    return match.groups()
