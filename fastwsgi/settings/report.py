"""`--print-config`: each value, and where it comes from."""

from __future__ import annotations

from fastwsgi.settings.settings import SETTINGS
from fastwsgi.settings.sources import Configuration


def table(configuration: Configuration) -> str:
    """Three aligned columns: the setting, its value, and the flag, variable or file that gave it."""
    rows = [("app", configuration.app or "none", configuration.origins["app"])]
    for name in SETTINGS:
        origin = configuration.origins.get(name, "default")
        rows.append((name, shown(name, getattr(configuration.settings, name)), origin))
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    return "".join(f"{name:{first}}  {value:{second}}  {origin}\n" for name, value, origin in rows)


def shown(name: str, value: object) -> str:
    """A value as it may be given, or "none"."""
    if value is None or value == "" or value == []:
        return "none"
    return SETTINGS[name].kind.show(value)
