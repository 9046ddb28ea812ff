"""The settings in environment variables: ours, gunicorn's, which holds options, and those that hosting services set."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from fastwsgi.mistakes import Finding, UsageError, nearest
from fastwsgi.server.addresses import is_port
from fastwsgi.settings import habits
from fastwsgi.settings.arguments import WORKER_CLASS, parse
from fastwsgi.settings.given import Given, Layer
from fastwsgi.settings.keys import KEYS, by_key
from fastwsgi.settings.setting import PREFIX
from fastwsgi.settings.settings import SETTINGS, Setting, SettingError

APP = "FASTWSGI_APP"
CONFIG = "FASTWSGI_CONFIG"
GUNICORN_OPTIONS = "GUNICORN_CMD_ARGS"
NOT_SETTINGS = {APP, CONFIG, "FASTWSGI_BACKEND", "FASTWSGI_NO_EXT", "FASTWSGI_PGO", "FASTWSGI_REQUIRE_EXT"}
NOT_SETTINGS |= {"FASTWSGI_SYMBOLS", "FASTWSGI_SANITIZE", "FASTWSGI_LISTENERS", "FASTWSGI_PREDECESSOR"}
NOT_SETTINGS |= {"FASTWSGI_STATUS_LISTENER", "FASTWSGI_SUCCESSION"}
"""Variables that are not settings: the application and the file; the build; what an upgrade hands over."""


def flag_of(name: str) -> str:
    """The option that gives the setting *name*, or the kind of worker."""
    return SETTINGS[name].flag if name in SETTINGS else WORKER_CLASS[-1]


def variables(environment: Mapping[str, str], finding: Finding) -> Layer:
    """The settings in FASTWSGI_* variables, by any of their names. Empty ones count if the setting can be empty.

    Args:
        environment: the variables.
        finding: told the mistakes.
    """
    layer: Layer = {}
    for key, (name, _) in KEYS.items():
        variable = f"{PREFIX}{key.upper()}"
        text = environment.get(variable)
        if text is None or name in layer or (not text and not _can_be_empty(SETTINGS[name])):
            continue
        try:
            layer[name] = Given(by_key(key, SETTINGS[name].read_text(text))[1], variable)
        except SettingError as error:
            finding.add(UsageError(f"{variable} {error.problem}"))
    if environment.get(APP):
        layer["app"] = Given(environment[APP], APP)
    return layer


def gunicorn_options(environment: Mapping[str, str]) -> tuple[str | None, Layer, list[str]]:
    """The settings in gunicorn's variable, which holds options as a command line does. Raises UsageError.

    Returns:
        The value of -c, the settings, and lines for the user.
    """
    text = environment.get(GUNICORN_OPTIONS)
    if not text:
        return None, {}, []
    try:
        arguments = parse(shlex.split(text))
    except (UsageError, ValueError) as error:
        raise UsageError(f"{GUNICORN_OPTIONS}: {error}") from None
    if arguments.paste is not None:
        raise UsageError(f"{GUNICORN_OPTIONS}: --paste names the application: give it on the command line")
    layer = {
        name: Given(value, f"{GUNICORN_OPTIONS}: {flag_of(name)}") for name, value in arguments.flags.items()
    }
    return arguments.config, layer, [f"{GUNICORN_OPTIONS}: {notice}" for notice in arguments.notices]


def script_name(environment: Mapping[str, str], assignments: list[str]) -> Layer:
    """The prefix of paths in CGI's variable, which gunicorn heeds; the *assignments* of --env go before."""
    values = {**environment, **dict(one.split("=", 1) for one in assignments)}
    prefix = values.get("SCRIPT_NAME", "").rstrip("/")
    return {"root_path": Given(prefix, "SCRIPT_NAME")} if prefix else {}


def _can_be_empty(setting: Setting[Any]) -> bool:
    try:
        return bool(setting.read("") == "")
    except SettingError:
        return False


def hosting_variables(environment: Mapping[str, str], finding: Finding) -> Layer:
    """The settings in hosting services' variables: the port, the number of workers, the proxies.

    HOST is not among them: shells and build tools set it to other things than an address to listen on.
    """
    layer = {}
    port = environment.get("PORT")
    if port and not is_port(port):
        finding.add(UsageError(f"PORT {port!r} must be a port number, from 0 to 65535"))
    elif port:
        layer["bind"] = Given([f"0.0.0.0:{port}"], "PORT")
    if environment.get("WEB_CONCURRENCY"):
        layer["workers"] = Given(environment["WEB_CONCURRENCY"], "WEB_CONCURRENCY")
    if "FORWARDED_ALLOW_IPS" in environment:  # empty: no peers
        layer["forwarded_allow_ips"] = Given(environment["FORWARDED_ALLOW_IPS"], "FORWARDED_ALLOW_IPS")
    return layer


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Lines about FASTWSGI_* variables that have no meaning, if there are any."""
    strange, line = habits.in_variables(environment)
    known = {f"{PREFIX}{key.upper()}" for key in KEYS} | NOT_SETTINGS
    unknown = []
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known | strange:
            meant = nearest(name[len(PREFIX) :], (one[len(PREFIX) :] for one in known))
            unknown.append(f"{name} (did you mean {PREFIX}{meant}?)" if meant else name)
    lines = [f"no such setting, from the environment: {', '.join(unknown)}"] if unknown else []
    return lines + [line] if line else lines
