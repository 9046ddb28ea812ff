"""What the command serves, as the supervisor asks for it: settings and application, anew at each reload."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from typing import Any, Callable

from fastwsgi.config import loader
from fastwsgi.config.hooks import NoHooks
from fastwsgi.config.mistakes import UsageError
from fastwsgi.config.settings import SETTINGS, Settings
from fastwsgi.config.sources import Configuration, Sources


class Configured:
    """A deployment made of the command line, the environment and a configuration file.

    Attributes:
        hooks: those of the configuration read last.
        current: that configuration, once settings() was called.
        directory: where the command was given; a new binary is to be started there.

    Args:
        sources: of the settings.
        announce: called with lines for the user, such as what has no effect.
    """

    def __init__(self, sources: Sources, announce: Callable[[str], None]) -> None:
        self.hooks: Any = NoHooks()
        self.current: Configuration | None = None
        self.directory = sources.start
        self._sources = sources
        self._announce = announce
        self._told: set[str] = set()
        self._variables = Variables(os.environ)

    def settings(self) -> Settings:
        """Read everything anew. What a reload cannot change stays as it was first, and a line tells.

        Sets the variables of `env`. Raises Mistake; then nothing has changed.
        """
        self._variables.take_back()
        try:
            read = self._sources.read(os.environ)
            if self.current is not None:
                read.settings, kept = reloaded(self.current.settings, read.settings)
                read.notices += [f"{name} has changed; that takes a restart" for name in kept]
            self.current, self.hooks = read, read.hooks
        finally:
            self._variables.set(self.current.settings.env if self.current else [])
        for notice in read.notices:
            self._tell(notice)
        return read.settings

    def _tell(self, notice: str) -> None:
        """Announce what was not announced before."""
        if notice not in self._told:
            self._told.add(notice)
            self._announce(f"fastwsgi: {notice}")

    def application(self) -> str:
        """What to serve, as it was named. Raises UsageError if nobody did."""
        app = self.current.app if self.current else None
        if app is None:
            raise UsageError(
                "say what to serve: MODULE:ATTR, such as shop.wsgi:application (see fastwsgi --help)"
            )
        return app

    def load(self, settings: Settings) -> loader.Application:
        """Import the application. Raises Mistake, whose details are the traceback if the user's code failed."""
        return loader.load(self.application(), settings)


def reloaded(first: Settings, now: Settings) -> tuple[Settings, list[str]]:
    """Return the settings of `now` with those of `first` that a reload cannot change, and the names of these."""
    fixed = {name: getattr(first, name) for name, setting in SETTINGS.items() if not setting.reloadable}
    kept = [name for name, value in fixed.items() if getattr(now, name) != value]
    return Settings(**{**vars(now), **fixed}), kept


class Variables:
    """Environment variables that are set, and can be taken back."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        self._environment = environment
        self._before: dict[str, str | None] = {}

    def set(self, assignments: list[str]) -> None:
        """Set NAME=VALUE, and remember what was there."""
        for assignment in assignments:
            name, _, value = assignment.partition("=")
            self._before.setdefault(name, self._environment.get(name))
            self._environment[name] = value

    def take_back(self) -> None:
        """Make it as if set() had not been called."""
        for name, value in self._before.items():
            if value is None:
                self._environment.pop(name, None)
            else:
                self._environment[name] = value
        self._before.clear()
