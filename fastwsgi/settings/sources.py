"""Where settings come from, and which of several values counts.

The order is: the command line; the environment (FASTWSGI_<NAME>, then GUNICORN_CMD_ARGS, then PORT, WEB_CONCURRENCY
and FORWARDED_ALLOW_IPS); the configuration file; the default. Beside a gunicorn.conf.py, PORT and the like come after
it, because in gunicorn they only change defaults; then come some of gunicorn's own defaults. All is read anew for each
reload.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastwsgi.gunicorn.table import DEFAULTS
from fastwsgi.mistakes import UsageError, nearest
from fastwsgi.settings import files
from fastwsgi.settings.arguments import parse
from fastwsgi.settings.rules import Given, without_effect
from fastwsgi.settings.setting import PREFIX
from fastwsgi.settings.settings import SETTINGS, Setting, SettingError, Settings

if TYPE_CHECKING:
    from fastwsgi.gunicorn.file import FileValues
    from fastwsgi.gunicorn.hooks import Hooks

APP = "FASTWSGI_APP"
CONFIG = "FASTWSGI_CONFIG"
GUNICORN_OPTIONS = "GUNICORN_CMD_ARGS"
NOT_SETTINGS = {APP, CONFIG, "FASTWSGI_BACKEND", "FASTWSGI_NO_EXT", "FASTWSGI_REQUIRE_EXT"}
NOT_SETTINGS |= {"FASTWSGI_SYMBOLS", "FASTWSGI_SANITIZE", "FASTWSGI_LISTENERS", "FASTWSGI_PREDECESSOR"}
"""Variables that are no settings: what to serve and by which file; the build; what an upgrade hands over."""

Layer = dict[str, Given]


@dataclass
class Configuration:
    """All that was given.

    Attributes:
        settings: the values that count.
        app: what to serve, if it was named.
        origins: where each value was given, by the name of its setting or "app"; a default has none, except for "app".
        notices: lines for the user.
        hooks: the user's functions.
    """

    settings: Settings
    app: str | None
    origins: dict[str, str]
    notices: list[str]
    hooks: Hooks


class Sources:
    """The places where settings can be given.

    Args:
        flags: of the command line, by the settings' names; not read yet.
        app: what to serve, if the command line says it.
        config: what -c says.
        start: the directory in which the command was given.
    """

    def __init__(self, flags: Mapping[str, object], app: str | None, config: str | None, start: str) -> None:
        self.flags = flags
        self.app = app
        self.config = config
        self.start = start

    def read(self, environment: Mapping[str, str]) -> Configuration:
        """Read everything. Raises Mistake, which names the flag, the variable or the file's key."""
        config, options, notices = gunicorn_options(environment)
        layers = [self._flags(), variables(environment), options]
        file = files.read(self.config or environment.get(CONFIG) or config, self.start, self._directory(layers))
        hosting = hosting_variables(environment)
        if file.python:
            layers += [_file_layer(file), hosting, gunicorn_defaults(file.name)]
        else:
            layers += [hosting, _file_layer(file)]
        if self.app is not None:
            layers[0]["app"] = Given(self.app, "command line")
        chosen: Layer = {}
        for layer in reversed(layers):
            chosen.update(layer)
        app = _app(chosen.pop("app", None))
        settings = self._settings(chosen)
        origins = {"app": app.origin if app else "default"}
        origins.update({name: given.origin for name, given in chosen.items()})
        notices += unknown_variables(environment) + file.notices + without_effect(settings, chosen)
        return Configuration(settings, str(app.value) if app else None, origins, notices, file.hooks)

    def _flags(self) -> Layer:
        return {name: Given(value, SETTINGS[name].flag) for name, value in self.flags.items()}

    def _directory(self, layers: list[Layer]) -> str:
        """The directory in which configuration files are looked for. Raises UsageError."""
        given = next((layer["chdir"] for layer in layers if "chdir" in layer), None)
        return self._existing(given) if given else self.start

    def _existing(self, given: Given) -> str:
        """The absolute path of a directory. Raises UsageError if it is none."""
        try:
            path = os.path.abspath(os.path.join(self.start, str(SETTINGS["chdir"].read(given.value))))
        except SettingError as error:
            raise _usage_error(error, {"chdir": given}) from None
        if not os.path.isdir(path):
            problem = "Not a directory" if os.path.exists(path) else "No such file or directory"
            raise UsageError(f"{given.origin} {given.value}: {problem}")
        return path

    def _settings(self, chosen: Layer) -> Settings:
        """The settings with these values. The directory becomes an absolute path: it means the same again and again."""
        values = {name: given.value for name, given in chosen.items()}
        if "chdir" in chosen:
            values["chdir"] = self._existing(chosen["chdir"])
        try:
            return Settings(**values)
        except SettingError as error:
            raise _usage_error(error, chosen) from None


def _usage_error(error: SettingError, given: Layer) -> UsageError:
    """The line about values that cannot be, with the places where they were given."""
    return UsageError(f"{' and '.join(given[name].origin for name in error.names)} {error.problem}")


def _app(given: Given | None) -> Given | None:
    if given is not None and (not isinstance(given.value, str) or not given.value):
        raise UsageError(f"{given.origin} {given.value!r} must be MODULE:ATTR, such as shop.wsgi:application")
    return given


def _file_layer(file: FileValues) -> Layer:
    return {name: Given(value, f"{file.name}: {file.keys[name]}") for name, value in file.values.items()}


def variables(environment: Mapping[str, str]) -> Layer:
    """What FASTWSGI_* variables say. An empty one says nothing, unless its setting can be empty. Raises UsageError."""
    layer = {}
    for name, setting in SETTINGS.items():
        text = environment.get(setting.variable)
        if text is None or not setting.from_variable or (not text and not _can_be_empty(setting)):
            continue
        try:
            layer[name] = Given(setting.read_text(text), setting.variable)
        except SettingError as error:
            raise UsageError(f"{setting.variable} {error.problem}") from None
    if environment.get(APP):
        layer["app"] = Given(environment[APP], APP)
    return layer


def gunicorn_options(environment: Mapping[str, str]) -> tuple[str | None, Layer, list[str]]:
    """What gunicorn's variable says, which holds options as a command line does. Raises UsageError.

    Returns:
        What -c says, the settings, and lines for the user.
    """
    text = environment.get(GUNICORN_OPTIONS)
    if not text:
        return None, {}, []
    try:
        arguments = parse(shlex.split(text))
    except (UsageError, ValueError) as error:
        raise UsageError(f"{GUNICORN_OPTIONS}: {error}") from None
    layer = {
        name: Given(value, f"{GUNICORN_OPTIONS}: {SETTINGS[name].flag}") for name, value in arguments.flags.items()
    }
    return arguments.config, layer, [f"{GUNICORN_OPTIONS}: {notice}" for notice in arguments.notices]


def _can_be_empty(setting: Setting[Any]) -> bool:
    try:
        return bool(setting.read("") == "")
    except SettingError:
        return False


def gunicorn_defaults(name: str) -> Layer:
    """What holds beside gunicorn's configuration file *name* unless it is given elsewhere."""
    return {
        ours: Given(value, f"{name}: {ours}, by gunicorn's default", by_user=False) for ours, value in DEFAULTS.items()
    }


def hosting_variables(environment: Mapping[str, str]) -> Layer:
    """What hosting services say by variables: the port, the number of workers, the proxies. Raises UsageError."""
    layer = {}
    port = environment.get("PORT")
    if port:
        if not (port.isascii() and port.isdigit() and int(port) < 65536):
            raise UsageError(f"PORT {port!r} must be a port number, from 0 to 65535")
        layer["bind"] = Given([f"0.0.0.0:{port}"], "PORT")
    if environment.get("WEB_CONCURRENCY"):
        layer["workers"] = Given(environment["WEB_CONCURRENCY"], "WEB_CONCURRENCY")
    if "FORWARDED_ALLOW_IPS" in environment:  # empty: nobody
        layer["forwarded_allow_ips"] = Given(environment["FORWARDED_ALLOW_IPS"], "FORWARDED_ALLOW_IPS")
    return layer


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """A line about the FASTWSGI_* variables that mean nothing, if there are any."""
    known = {setting.variable for setting in SETTINGS.values() if setting.from_variable} | NOT_SETTINGS
    unknown = []
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            meant = nearest(name[len(PREFIX) :], (one[len(PREFIX) :] for one in known))
            unknown.append(f"{name} (did you mean {PREFIX}{meant}?)" if meant else name)
    return [f"no such setting, from the environment: {', '.join(unknown)}"] if unknown else []
