"""The load: driving wrk and ab, and reading what they print."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

from launch import HERE, ServerFailed
from profiles import CONNECTIONS, Profile

MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
SECONDS = {unit: milliseconds / 1000 for unit, milliseconds in MILLISECONDS.items()}
GRACE_SECONDS = 30  # a tool that has not ended by then hangs
AB_REQUESTS_PER_SECOND = 100_000  # ab wants a bound; more than it can make


@dataclass(frozen=True)
class Load:
    """What the clients saw: completed requests in how many seconds, latency in ms, errors of any kind."""

    requests: int
    seconds: float
    p50_ms: float | None
    p99_ms: float | None
    errors: int


def drive(profile: Profile, port: int, seconds: int) -> Load:
    """Load a server for some seconds. Raises ServerFailed if nothing was completed."""
    url = f"{'https' if profile.tls else 'http'}://127.0.0.1:{port}/"
    command, parse = {"wrk": (wrk_command, parse_wrk), "ab": (ab_command, parse_ab)}[profile.tool]
    try:
        done = subprocess.run(command(profile, url, seconds), cwd=HERE, timeout=seconds + GRACE_SECONDS,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        raise ServerFailed(f"{profile.tool} did not end") from None
    load = parse(done.stdout) if done.returncode == 0 else None
    if load is None or load.requests == 0:
        raise ServerFailed(f"{profile.tool} completed no request: {done.stderr.strip() or 'no answer'}")
    return load


def wrk_command(profile: Profile, url: str, seconds: int) -> list[str]:
    script = ["-s", f"wrk/{profile.script}"] if profile.script else []
    return ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", *script, *fields(profile), url]


def ab_command(profile: Profile, url: str, seconds: int) -> list[str]:
    limit = str(seconds * AB_REQUESTS_PER_SECOND)
    return ["ab", "-q", "-r", "-c", str(CONNECTIONS), "-t", str(seconds), "-n", limit,
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


def search(pattern: str, text: str) -> tuple[str, ...]:
    """The groups of the first match. Raises ValueError when the tool printed something else."""
    match = re.search(pattern, text, re.M)
    if match is None:
        raise ValueError(f"no {pattern!r} in:\n{text}")
    return match.groups()
