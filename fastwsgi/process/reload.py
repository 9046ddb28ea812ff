"""The rolling reload: new settings and new code take over worker by worker, or not at all.

It is prepared first: settings are read and new addresses bound. Then the fleet begins a new generation. If its first
worker cannot start, everything returns to what was, and nobody has noticed: the old workers have served all the time.
"""

from __future__ import annotations

from typing import Any

from fastwsgi.mistakes import Mistake
from fastwsgi.observe.logs import error_log, set_up_error_log
from fastwsgi.process.certificates import Certificates
from fastwsgi.process.fleet import Fleet
from fastwsgi.process.scoreboard import check_number
from fastwsgi.process.sockets import Binding


class Reload:
    """At most one at a time, and one that waits for it."""

    def __init__(self, supervisor: Any) -> None:
        self._supervisor = supervisor
        self._requested = False
        self._hurried = False
        self._before: tuple[int, int] | None = None  # generation and size to return to, while one runs
        self._settings: Any = None
        self._entries: list[Binding] = []
        self._certificates: Any = None

    def request(self, hurried: bool = False) -> None:
        """A reload is wanted, as soon as none runs; a *hurried* one ends the old workers at once (for development)."""
        self._requested = True
        self._hurried = hurried

    @property
    def runs(self) -> bool:
        """Whether one is under way."""
        return self._before is not None

    def worker_inputs(self) -> tuple[Any, list[Binding], Any]:
        """Settings, listeners and TLS for a worker that starts now."""
        if self._before is not None:
            return self._settings, self._entries, self._certificates.tls
        owner = self._supervisor
        return owner.settings, owner.listeners.entries, owner.certificates.tls

    def advance(self, fleet: Fleet) -> bool:
        """Go on, if it is time; whether the fleet has something to do now."""
        if self._before is not None and fleet.proven and fleet.is_settled:
            self._complete()
        if not self._requested or self._before is not None or not fleet.served or fleet.closed:
            return False
        self._requested = False
        return self._begin(fleet)

    def _begin(self, fleet: Fleet) -> bool:
        owner = self._supervisor
        error_log.info("reload")
        owner.systemd_status.reloading()
        try:
            settings = owner.deployment.settings()
            size = check_number(settings.workers)
            certificates = Certificates(settings)
            entries = owner.listeners.prepare(settings)
        except (Mistake, OSError) as problem:
            details = f"\n{problem.details}".rstrip("\n") if isinstance(problem, Mistake) else ""
            error_log.error("the reload is given up: %s%s", problem, details)
            owner.systemd_status.ready()
            return False
        if owner.app is not None:
            error_log.warning("the application is preloaded: SIGHUP renews the settings, SIGUSR2 the code, too")
        self._before = (fleet.generation, fleet.size)
        self._settings, self._entries, self._certificates = settings, entries, certificates
        owner.hooks.on_reload(owner.view)
        fleet.begin_generation(size, self._hurried)
        return True

    def _complete(self) -> None:
        owner = self._supervisor
        self._before = None
        owner.settings = owner.view.cfg = self._settings
        owner.listeners.commit(self._entries, self._settings)
        owner.certificates = self._certificates
        owner.view.address = owner.listeners.urls(owner.certificates.scheme)
        set_up_error_log(self._settings)  # what it cannot have, the new workers could not have either
        owner.systemd_status.ready()
        error_log.info("reload complete: listening on %s", ", ".join(owner.view.address))

    def abandon(self) -> None:
        """The service stops."""
        self._requested = False
        if self._before is not None:
            self._before = None
            self._supervisor.listeners.discard(self._entries)

    def fail(self, how: str) -> None:
        """The first worker of the new generation ended before it was ready."""
        owner = self._supervisor
        assert self._before is not None
        generation, size = self._before
        self._before = None
        owner.listeners.discard(self._entries)
        owner.fleet.return_to_generation(generation, size)
        owner.systemd_status.ready()
        error_log.error("the reload is given up, the old workers go on: the first new one %s", how)
