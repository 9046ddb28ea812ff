"""The rolling reload: new settings and new code take over worker by worker, or not at all.

It is prepared first: settings are read and new addresses bound. Then the fleet begins a new generation. If its first
worker cannot start, everything returns to what it was, and no client has noticed: the old workers have kept serving.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastwsgi.mistakes import Mistake
from fastwsgi.observe.log_counter import count_entries
from fastwsgi.observe.logs import error_log, set_up_error_log
from fastwsgi.process import preflight
from fastwsgi.process.certificates import Certificates
from fastwsgi.process.folders import check_folders
from fastwsgi.process.sockets import Binding
from fastwsgi.records import NamedTuple

if TYPE_CHECKING:
    from fastwsgi.process.interfaces import ReloadingSupervisor
    from fastwsgi.settings.settings import Settings


class WorkerInputs(NamedTuple):
    """What workers are started with; a reload renews it."""

    settings: Settings
    bindings: list[Binding]
    certificates: Certificates


class Running(NamedTuple):
    """A reload in progress: what it introduces, and the generation and size of the fleet to return to."""

    inputs: WorkerInputs
    status_bindings: list[Binding]
    generation: int
    size: int


class Reload:
    """The reloads: at most one at a time, and one more that waits for it."""

    def __init__(self, supervisor: ReloadingSupervisor) -> None:
        self._supervisor = supervisor
        self._requested = False
        self._hurried = False
        self._running: Running | None = None

    def request(self, hurried: bool = False) -> None:
        """Begin a reload as soon as none is running; a *hurried* one ends the old workers at once (for development)."""
        self._requested = True
        self._hurried = hurried

    @property
    def is_running(self) -> bool:
        """Whether a reload is in progress."""
        return self._running is not None

    def worker_inputs(self) -> WorkerInputs:
        """The inputs for a worker that starts now."""
        if self._running is not None:
            return self._running.inputs
        owner = self._supervisor
        return WorkerInputs(owner.settings, owner.listeners.bindings, owner.certificates)

    def advance(self) -> bool:
        """Complete the running reload, or begin the waiting one, if it is time; True if one has begun."""
        fleet = self._supervisor.fleet
        if self._running is not None and fleet.proven and fleet.is_settled:
            self._complete(self._running)
        if not self._requested or self._running is not None or not fleet.served or fleet.closed:
            return False
        self._requested = False
        return self._begin()

    def _begin(self) -> bool:
        owner = self._supervisor
        error_log.info("reload")
        owner.status.reloading()
        try:
            settings = owner.deployment.settings()
            size = preflight.check_workers(settings)
            preflight.check_access_log(settings)
            check_folders(settings)
            certificates = Certificates(settings, owner.hooks.context_maker(owner.cfg(settings)))
            bindings = owner.listeners.prepare(settings)
            status_bindings = self._prepare_status(settings, bindings)
        except (Mistake, OSError) as problem:
            details = ""
            if isinstance(problem, Mistake):
                problem = owner.deployment.told(problem)
                details = f"\n{problem.details}".rstrip("\n")
            error_log.error("the reload is given up: %s%s", problem, details)
            owner.news.reload_failed(str(problem), details)
            owner.status.ready()
            return False
        if owner.app is not None:
            error_log.warning("the application is preloaded: SIGHUP renews the settings, SIGUSR2 the code, too")
        inputs = WorkerInputs(settings, bindings, certificates)
        self._running = Running(inputs, status_bindings, owner.fleet.generation, owner.fleet.size)
        owner.fleet.begin_generation(size, self._hurried)
        owner.view.cfg = owner.cfg(settings)
        owner.hooks.nworkers_changed(owner.view, size, self._running.size)
        owner.hooks.on_reload(owner.view)
        return True

    def _prepare_status(self, settings: Settings, bindings: list[Binding]) -> list[Binding]:
        """The status's own listener; without it, *bindings* are not wanted, either. Raises BindError."""
        try:
            return self._supervisor.status_process.prepare(settings)
        except OSError:
            self._supervisor.listeners.discard(bindings)
            raise

    def _discard(self, running: Running) -> None:
        """Close what was opened for a reload that is not to be."""
        self._supervisor.listeners.discard(running.inputs.bindings)
        self._supervisor.status_process.discard(running.status_bindings)

    def _complete(self, running: Running) -> None:
        owner, inputs = self._supervisor, running.inputs
        self._running = None
        owner.listeners.commit(inputs.bindings, inputs.settings)
        owner.status_process.commit(running.status_bindings, inputs.settings)
        owner.settings = inputs.settings
        owner.certificates = inputs.certificates
        # Their files can be opened, or the new workers would have failed
        set_up_error_log(inputs.settings)
        count_entries(owner.head.count_entry)
        owner.handed_logs.begin(inputs.settings)
        owner.status.ready()
        failures = [one.load_failure for one in owner.fleet.members.values() if one.state == "ready"]
        if any(failures):
            error_log.warning("reloaded, but the application cannot be loaded; each request is answered with that")
            line, _, details = max(failures).partition("\n")
            owner.news.reload_failed(line, details)
        else:
            urls = owner.listeners.urls(owner.certificates.scheme)
            error_log.info("reload complete: listening on %s", ", ".join(urls))
            owner.news.reloaded()
        owner.status_process.log_address()

    def abandon(self) -> None:
        """Neither continue a reload nor begin one, as the service stops."""
        self._requested = False
        if self._running is not None:
            self._discard(self._running)
            self._running = None

    def fail(self, reason: str, mistake: str) -> None:
        """Return to what was before: the first worker of the new generation ended before it was ready.

        Args:
            reason: how it ended.
            mistake: why, by its own word; "" if it has said nothing.
        """
        owner, running = self._supervisor, self._running
        assert running is not None
        self._running = None
        self._discard(running)
        owner.fleet.return_to_generation(running.generation, running.size)
        owner.view.cfg = owner.cfg(owner.settings)
        for child in owner.fleet.members.values():
            if child.state == "ready":
                child.view.revive()
        owner.status.ready()
        error_log.error("the reload is given up, the old workers go on: the first new one %s", reason)
        line, _, details = mistake.partition("\n")
        owner.news.reload_failed(line or f"the first new worker {reason}", details)
