"""The names by which settings are given, as keys, keywords and variables: those of their attributes and long flags."""

from __future__ import annotations

from fastwsgi.settings.settings import SETTINGS

KEYS: dict[str, tuple[str, bool]] = {
    key: (name, is_opposite) for name, setting in SETTINGS.items() for key, is_opposite in setting.keys.items()
}
"""The names by which a setting can be given, each with the setting's own, and whether it says the opposite."""


def by_key(key: str, value: object) -> tuple[str, object]:
    """The setting that *key*, one of KEYS, stands for, and its value."""
    name, is_opposite = KEYS[key]
    return name, not value if is_opposite and isinstance(value, bool) else value
