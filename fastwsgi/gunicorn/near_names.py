"""Names in a gunicorn.conf.py that are no settings, but nearly: gunicorn ignores them without a word.

A file also has names of its own, which must make no noise. So a name counts only if it could not well be meant
otherwise: it is very near that of a setting which the file does not set, or one by which the setting is known
elsewhere. Names that begin with "_", modules and classes are the file's own, and functions can only be hooks.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from fastwsgi.gunicorn.hooks import HOOKS
from fastwsgi.gunicorn.translations import TRANSLATIONS
from fastwsgi.gunicorn.unsupported import UNSUPPORTED

ENOUGH = 0.82  # as difflib counts: "cores" is 0.67 like "workers", "timeout_str" 0.78 like "timeout"
ELSEWHERE = {
    "access_logfile": "accesslog",
    "access_logformat": "access_log_format",
    "after_fork": "post_fork",
    "before_fork": "pre_fork",
    "error_logfile": "errorlog",
    "keep_alive": "keepalive",
    "limit_conn": "worker_connections",
    "log_config": "logconfig",
    "log_level": "loglevel",
    "preload": "preload_app",
    "worker_processes": "workers",
}
"""Names that options have, or other servers, and the settings and hooks of gunicorn's that they are."""
SETTINGS = {*TRANSLATIONS, *UNSUPPORTED} - HOOKS.keys()


def near_names(found: Mapping[str, object]) -> list[str]:
    """For each name among *found* that is nearly that of a setting or a hook, that name and what was meant."""
    return [f"{name} (did you mean {meant}?)" for name, value in found.items() if (meant := _meant(name, value, found))]


def _meant(name: str, value: object, found: Mapping[str, object]) -> str | None:
    if name.startswith("_") or name in SETTINGS or name in HOOKS or value is None:
        return None
    if isinstance(value, (ModuleType, type)):
        return None
    import difflib

    known = HOOKS.keys() if callable(value) else SETTINGS
    meant = ELSEWHERE.get(name) or next(iter(difflib.get_close_matches(name, known, 1, ENOUGH)), None)
    return meant if meant in known and meant not in found else None
