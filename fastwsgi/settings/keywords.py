"""The settings as `fastwsgi.serve` takes them: keywords, checked and told in the words of a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

from fastwsgi.mistakes import Mistake, UsageError, WrongValue
from fastwsgi.server.addresses import suggest_address
from fastwsgi.settings import habits
from fastwsgi.settings.given import Given
from fastwsgi.settings.keys import KEYS, by_key
from fastwsgi.settings.rules import remarks
from fastwsgi.settings.settings import SETTINGS, SettingError, Settings

OF_THE_COMMAND = ("chdir", "pythonpath", "factory", "env")


def read(values: Mapping[str, object], announce: Callable[[str], None]) -> Settings:
    """The settings with these *values*; *announce* is called with lines about those without effect.

    Raises:
        SettingError: there is no such setting, it cannot have the value, or it is the command's.
    """
    for name in OF_THE_COMMAND:
        if name in values:
            raise SettingError(f"{name} says how to find the application, and serve() was given one")
    try:
        habits.refuse_keywords(values)
    except UsageError as error:
        raise SettingError(str(error)) from None
    own: dict[str, Given] = {}
    for key, value in values.items():
        name, meant = by_key(key, value) if key in KEYS else (key, value)
        own[name] = Given(meant, key)
    try:
        settings = Settings(**{name: given.value for name, given in own.items()})
    except SettingError as error:
        if not error.names:
            raise
        names = " and ".join(own[name].origin for name in error.names)
        line = f"{names}{'=' if error.flag else ' '}{error.problem}"
        raise SettingError(line, error.names, error.problem, error.flag) from None
    for line in remarks(settings, own):
        announce(line)
    return settings


def told(mistake: Mistake) -> Mistake:
    """*mistake*, in the words of a call."""
    if not isinstance(mistake, WrongValue):
        return mistake
    return mistake.told({setting.flag: name for name, setting in SETTINGS.items()})


def surplus(arguments: tuple[object, ...]) -> str:
    """The line about a call of serve() with these positional arguments, in the order of make_server() or others."""
    for pair in zip(arguments, arguments[1:]):
        meant = suggest_address(pair)
        if meant:
            return f"serve() takes host and port as one: fastwsgi.serve(app, bind={meant!r})"
    return "serve() takes the application and bind by their places, and settings by their names"
