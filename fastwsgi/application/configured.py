"""The deployment of the command line: settings and application, read anew at each reload."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Callable
from weakref import WeakKeyDictionary

from fastwsgi.application import loader
from fastwsgi.mistakes import Finding, Mistake, UsageError, WrongValue
from fastwsgi.originals import os
from fastwsgi.settings import files
from fastwsgi.settings.settings import SETTINGS, Settings
from fastwsgi.settings.sources import Configuration, Sources

if TYPE_CHECKING:
    from fastwsgi.gunicorn.hooks import Hooks


class ConfiguredDeployment:
    """A deployment by the command line, the environment and a configuration file, which are read when it is made.

    Attributes:
        current: the configuration read last.
        directory: where the command was given, and where an upgrade gives it again.

    Args:
        sources: where the settings are given.
        announce: called with lines for the user, such as a list of what has no effect.
        finding: told all mistakes, of which the first is raised otherwise.
        load: gives the application of a name, by settings; raises Mistake.

    Raises:
        Mistake: what is given is wrong.
    """

    def __init__(
        self,
        sources: Sources,
        announce: Callable[[str], None],
        finding: Finding | None = None,
        load: Callable[[str, Settings], loader.Application] = loader.load,
    ) -> None:
        self.directory = sources.start
        self._load = load
        self._sources = sources
        self._announce = announce
        self._announced: set[str] = set()
        self._apps: WeakKeyDictionary[Settings, str | None] = WeakKeyDictionary()
        self._variables = Variables(os.environ)
        self._variables.set(self._use(sources.read(os.environ, finding)).env)
        self._asked = False

    @property
    def hooks(self) -> Hooks:
        """The hooks of the configuration read last."""
        return self.current.hooks

    @property
    def name(self) -> str:
        """The application named last, for messages."""
        return self.current.app or "the application"

    def settings(self) -> Settings:
        """The settings: at the first call those read at the start; after that, for a reload, they are read anew.

        What a reload cannot change stays as it was, and a line says so. Sets the variables of `env`, and the first time
        changes to the directory of `chdir`.

        Raises:
            Mistake: what is given is wrong; nothing has changed.
        """
        if not self._asked:
            self._asked = True
            if self.current.settings.chdir is not None:
                os.chdir(self.current.settings.chdir)
            return self.current.settings
        self._variables.restore()
        try:
            read = self._sources.read(os.environ)
            read.settings, kept = reloaded(self.current.settings, read.settings)
            read.notices += [f"{name} has changed; that takes a restart" for name in kept]
            return self._use(read)
        finally:
            self._variables.set(self.current.settings.env)

    def told(self, mistake: Mistake) -> Mistake:
        """*mistake*, with the place where the value was given if it is about one."""
        if not isinstance(mistake, WrongValue):
            return mistake
        origins = self.current.origins
        return mistake.told({SETTINGS[name].flag: given for name, given in origins.items() if name in SETTINGS})

    def _use(self, read: Configuration) -> Settings:
        self.current = read
        self._apps[read.settings] = read.app
        for notice in read.notices:
            if notice not in self._announced:
                self._announced.add(notice)
                self._announce(notice)
        return read.settings

    def application(self, settings: Settings) -> str:
        """The application named together with these settings. Raises UsageError if none was."""
        app = self._apps.get(settings)
        if app is None:
            unread = files.unread_application(settings.chdir or self.directory)
            what = unread or "MODULE:ATTR, such as shop.wsgi:application"
            raise UsageError(f"say what to serve: {what} (see fastwsgi --help)")
        return app

    def load(self, settings: Settings) -> loader.Application:
        """Import the application.

        Args:
            settings: from settings(), now or earlier: an old worker's successor still gets the old application.

        Raises:
            Mistake: it cannot be loaded; the details are the traceback if the user's code failed.
        """
        try:
            return self._load(self.application(settings), settings)
        except loader.AsgiMistake as mistake:
            asked = self.current.worker_class
            raise Mistake(f"{mistake}; {asked} is not here" if asked else str(mistake)) from None


def reloaded(first: Settings, now: Settings) -> tuple[Settings, list[str]]:
    """The settings *now*, but with those of *first* that a reload cannot change, and the names of those that differ."""
    fixed = {name: getattr(first, name) for name, setting in SETTINGS.items() if not setting.reloadable}
    kept = [name for name, value in fixed.items() if getattr(now, name) != value]
    return Settings(**{**vars(now), **fixed}), kept


class Variables:
    """Environment variables that are set, and can be restored to their earlier values."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        self._environment = environment
        self._before: dict[str, str | None] = {}

    def set(self, assignments: list[str]) -> None:
        """Set NAME=VALUE, and remember the earlier value."""
        for assignment in assignments:
            name, _, value = assignment.partition("=")
            self._before.setdefault(name, self._environment.get(name))
            self._environment[name] = value

    def restore(self) -> None:
        """Restore the values that the variables had before set()."""
        for name, value in self._before.items():
            if value is None:
                self._environment.pop(name, None)
            else:
                self._environment[name] = value
        self._before.clear()
