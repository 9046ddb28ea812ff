"""The sources of settings, and the choice between several values.

The order is: the command line; the environment (FASTWSGI_<NAME>, then GUNICORN_CMD_ARGS, then PORT, WEB_CONCURRENCY
and FORWARDED_ALLOW_IPS); the configuration file; the default. With a gunicorn.conf.py, PORT and the like come after
it, because in gunicorn they only change defaults; then come some of gunicorn's own defaults. Everything is read anew at
each reload.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Callable

from fastwsgi.gunicorn.file import FileValues
from fastwsgi.gunicorn.near_names import ELSEWHERE
from fastwsgi.gunicorn.translations import DEFAULTS
from fastwsgi.gunicorn.worker_class import name_of
from fastwsgi.mistakes import Finding, UsageError
from fastwsgi.originals import os
from fastwsgi.records import record
from fastwsgi.settings import files
from fastwsgi.settings.environment import (
    CONFIG,
    flag_of,
    gunicorn_options,
    hosting_variables,
    script_name,
    unknown_variables,
    variables,
)
from fastwsgi.settings.given import Given, Layer
from fastwsgi.settings.rules import remarks
from fastwsgi.settings.settings import SETTINGS, SettingError, Settings
from fastwsgi.settings.worker_class import stand_in

if TYPE_CHECKING:
    from fastwsgi.gunicorn.hooks import Hooks

AMBIGUOUS = {*ELSEWHERE, "max_connections"}
"""Names of ours that mean something else in a file of gunicorn's, or are told to be another setting there."""


@record
class Configuration:
    """Everything that was given.

    Attributes:
        settings: the values that apply.
        app: what to serve, if it was named.
        origins: where each value was given, by the name of its setting or "app"; a default has none, except for "app".
        notices: lines for the user.
        hooks: the user's functions.
        worker_class: the kind of worker of gunicorn's that was asked for, or "".
    """

    settings: Settings
    app: str | None
    origins: dict[str, str]
    notices: list[str]
    hooks: Hooks
    worker_class: str = ""


class Sources:
    """The places where settings can be given.

    Args:
        flags: those of the command line, by the settings' names; not read yet.
        app: what to serve, if the command line names it.
        config: the value of -c.
        start: the directory in which the command was given.
        defaults: gives those of the framework whose command it is, which come after all else; may raise UsageError.
    """

    def __init__(
        self,
        flags: Mapping[str, object],
        app: str | None,
        config: str | None,
        start: str,
        defaults: Callable[[], Layer] = dict,
    ) -> None:
        self.flags = flags
        self.app = app
        self.config = config
        self.start = start
        self.defaults = defaults

    def read(self, environment: Mapping[str, str], finding: Finding | None = None) -> Configuration:
        """Read everything.

        Args:
            environment: the variables.
            finding: told all mistakes; the settings that are wrong get their defaults then.

        Raises:
            Mistake: something is wrong, and there is no *finding*; it names the flag, the variable or the file's key.
        """
        found = finding or Finding()
        read = self._read(environment, found)
        if finding is None:
            found.end()
        return read

    def _read(self, environment: Mapping[str, str], finding: Finding) -> Configuration:
        config: str | None = None
        options: Layer = {}
        notices: list[str] = []
        file = FileValues()
        with finding:
            config, options, notices = gunicorn_options(environment)
        layers = [self._flags(), variables(environment, finding), options]
        with finding:
            directory = self._directory(layers)
            file = files.read(self.config or environment.get(CONFIG) or config, self.start, directory, finding)
        hosting = hosting_variables(environment, finding)
        if file.python:
            layers += [_file_layer(file), hosting, gunicorn_defaults(file.name)]
        else:
            layers += [hosting, _file_layer(file)]
        with finding:
            layers.append(self.defaults())
        if self.app is not None:
            layers[0]["app"] = Given(self.app, "command line")
        chosen: Layer = {}
        for layer in reversed(layers):
            chosen.update(layer)
        app = None
        with finding:
            app = _app(chosen.pop("app", None))
        worker_class = chosen.pop("worker_class", None)
        if worker_class is not None:
            notices += stand_in(worker_class, chosen, _first(layers, "threads") < _first(layers, "worker_class"))
        settings = self._settings(chosen, finding)
        if "root_path" not in chosen and (prefix := script_name(environment, settings.env)):
            chosen.update(prefix)
            settings = self._settings(chosen, finding)
        origins = {"app": app.origin if app else "default"}
        origins.update({name: given.origin for name, given in chosen.items()})
        notices += unknown_variables(environment) + file.notices + _not_read(file) + remarks(settings, chosen)
        asked = name_of(worker_class.value) if worker_class is not None else ""
        return Configuration(settings, str(app.value) if app else None, origins, notices, file.hooks, asked)

    def _flags(self) -> Layer:
        return {name: Given(value, flag_of(name)) for name, value in self.flags.items()}

    def _directory(self, layers: list[Layer]) -> str:
        """The directory in which configuration files are looked for. Raises UsageError."""
        given = next((layer["chdir"] for layer in layers if "chdir" in layer), None)
        return self._existing(given) if given else self.start

    def _existing(self, given: Given) -> str:
        """The absolute path of a directory. Raises UsageError if it is not one."""
        try:
            path = os.path.abspath(os.path.join(self.start, str(SETTINGS["chdir"].read(given.value))))
        except SettingError as error:
            raise usage_error(error, {"chdir": given}) from None
        if not os.path.isdir(path):
            problem = "Not a directory" if os.path.exists(path) else "No such file or directory"
            raise UsageError(f"{given.origin} {given.value}: {problem}")
        return path

    def _settings(self, chosen: Layer, finding: Finding) -> Settings:
        """The settings with these values. The directory becomes an absolute path, which keeps its meaning."""
        values = {}
        for name, given in chosen.items():
            with finding:
                values[name] = self._existing(given) if name == "chdir" else _checked(name, given)
        try:
            return Settings(**values)
        except SettingError as error:
            finding.add(usage_error(error, chosen))
            return Settings(**{name: value for name, value in values.items() if name not in error.names})


def _checked(name: str, given: Given) -> object:
    """The value as it was given, if it can be read. Raises UsageError."""
    try:
        SETTINGS[name].read(given.value)
    except SettingError as error:
        raise usage_error(error, {name: given}) from None
    return given.value


def usage_error(error: SettingError, given: Layer) -> UsageError:
    """The line about impossible values, with the places where they were given."""
    return UsageError(f"{' and '.join(given[name].origin for name in error.names)} {error.problem}")


def _app(given: Given | None) -> Given | None:
    if given is not None and (not isinstance(given.value, str) or not given.value):
        raise UsageError(f"{given.origin} {given.value!r} must be MODULE:ATTR, such as shop.wsgi:application")
    return given


def _first(layers: list[Layer], name: str) -> int:
    """The place among *layers* of the one that decides about *name*; after all of them if none does."""
    return next((place for place, layer in enumerate(layers) if name in layer), len(layers))


def _not_read(file: FileValues) -> list[str]:
    """Lines about settings of ours in a file of gunicorn's, unless the name may well be of something else."""
    ours = [name for name in file.others if name in SETTINGS and "_" in name and name not in AMBIGUOUS]
    return [f"{file.name}: {name} is not read from a file of gunicorn's; give {SETTINGS[name].flag}" for name in ours]


def _file_layer(file: FileValues) -> Layer:
    return {name: Given(value, f"{file.name}: {file.keys[name]}") for name, value in file.values.items()}


def gunicorn_defaults(name: str) -> Layer:
    """The defaults that apply with gunicorn's configuration file *name*."""
    return {
        ours: Given(value, f"{name}: {ours}, by gunicorn's default", by_user=False) for ours, value in DEFAULTS.items()
    }
