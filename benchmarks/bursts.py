"""A server that is up, and what bursts of load show of it."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from statistics import median

from check import check
from launch import ServerFailed, running
from load import Load, drive, drive_at
from measure import cpu_seconds, cpu_seconds_at_rest, pss_mib, steal_seconds, waits
from profiles import Profile, static_folder
from results import Round
from servers import Server

WARM_UP_SECONDS = 0.5
SHARE = 0.8  # of its own peak: the rate at which a server's latency is told


@dataclass(frozen=True)
class Burst:
    """What the clients saw with all connections busy, and what the server took for it.

    Attributes:
        cpu, stolen: seconds, those of the hypervisor of all cores.
        waits: how often a thread waited.
        pss_mib: memory right after it.
    """

    load: Load
    cpu: float
    waits: int
    stolen: float
    pss_mib: float


@dataclass
class Contender:
    """A server under a profile, from its start to its stop.

    Attributes:
        python: its interpreter.
        core: where it runs.
        bursts: those with all connections busy.
        steady: those at a constant rate.
        idle_cpu, idle_seconds: what it took between its bursts, while others had theirs, and how long that was.
    """

    profile: Profile
    server: Server
    python: str
    core: int
    bursts: list[Burst] = field(default_factory=list)
    steady: list[Load] = field(default_factory=list)
    idle_cpu: float = 0.0
    idle_seconds: float = 0.0
    _life: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def start(self) -> None:
        """Start the server, look at its answers, warm it up. Raises ServerFailed."""
        profile = self.profile
        files = static_folder() if profile.is_static else ""
        up = running(
            self.server, self.python, profile.app, self.core, profile.tls, threads=profile.threads, files=files)
        self.session, self.port = self._life.enter_context(up)
        check(profile, self.port)
        drive(profile, self.port, WARM_UP_SECONDS)
        self._rest()

    def stop(self) -> None:
        """Once or more often."""
        self._life.close()

    def burst(self, seconds: float) -> None:
        """Load the server as much as it can take. Raises ServerFailed."""
        waited, stolen, cpu = waits(self.session), steal_seconds(), cpu_seconds(self.session)
        self.idle_cpu += cpu - self._cpu_at_rest
        self.idle_seconds += time.monotonic() - self._rests_since
        load = drive(self.profile, self.port, seconds)
        cpu = cpu_seconds(self.session) - cpu
        if not cpu:
            raise ServerFailed(f"{load.requests} requests took too little CPU time to measure")
        self.bursts.append(Burst(
            load, cpu, waits(self.session) - waited, steal_seconds() - stolen, pss_mib(self.session)))
        self._rest()

    def burst_at_a_rate(self, seconds: float) -> None:
        """Load it with SHARE of what it answered in its last burst, if that can be done. Raises ServerFailed.

        load.c, which does it, speaks no TLS and no HTTP/1.0, and the floor takes naps.
        """
        if self.profile.tool == "load" and not self.server.native:
            last = self.bursts[-1].load
            self.steady.append(drive_at(self.profile, self.port, seconds, SHARE * last.requests / last.seconds))
            self._rest()

    def _rest(self) -> None:
        """Wait until the server has done what its clients left behind, so that it is not in the way of the next."""
        self._cpu_at_rest, self._rests_since = cpu_seconds_at_rest(self.session), time.monotonic()

    def round(self) -> Round:
        """What the bursts have shown together."""
        loads = [one.load for one in self.bursts]
        requests, seconds = sum(load.requests for load in loads), sum(load.seconds for load in loads)
        return Round(
            requests=requests,
            seconds=round(seconds, 4),
            cpu_us=[round(one.cpu / one.load.requests * 1e6, 3) for one in self.bursts],
            requests_per_second=[round(load.requests / load.seconds, 1) for load in loads],
            waits=round(sum(one.waits for one in self.bursts) / requests, 4),
            p50_ms=middle([load.p50_ms for load in loads]),
            p99_ms=middle([load.p99_ms for load in loads]),
            open_p99_ms=middle([load.p99_ms for load in self.steady]),
            pss_mib=round(median(one.pss_mib for one in self.bursts), 2),
            idle_percent=round(self.idle_cpu / self.idle_seconds * 100, 2),
            steal_percent=round(sum(one.stolen for one in self.bursts) / seconds * 100, 1),
            errors=sum(load.errors for load in (*loads, *self.steady)),
        )


def middle(values: list[float]) -> float | None:
    return round(median(values), 3) if values else None
