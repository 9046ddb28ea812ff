"""The threads that stand for one of gunicorn's kinds of workers, wherever it was named."""

from __future__ import annotations

from fastwsgi.gunicorn.worker_class import kind_of, name_of, notice, threads_for
from fastwsgi.settings.given import Given, Layer
from fastwsgi.settings.settings import SETTINGS, SettingError


def stand_in(worker_class: Given, chosen: Layer, is_firm: bool) -> list[str]:
    """Take threads in place of a kind of worker; lines for the user, unless these are what it would have had.

    Args:
        worker_class: the kind, and where it was given.
        chosen: the settings that were given, among which "threads" may change.
        is_firm: the number of threads was given after the kind of worker, over it, and so counts as it is.
    """
    given = chosen.get("threads")
    try:
        asked = SETTINGS["threads"].read(given.value) if given is not None and given.by_user else None
    except SettingError:
        return []  # which is told with all other values
    kind = kind_of(worker_class.value)
    threads = threads_for(kind, asked, SETTINGS["threads"].default)
    if threads is None:
        return []
    threads = asked if is_firm and asked else threads
    if threads != asked:
        chosen["threads"] = Given(threads, f"{worker_class.origin} {name_of(worker_class.value)}")
    if kind == "gthread" and (threads == asked or given is None):
        return []
    return [notice(worker_class.origin, name_of(worker_class.value), kind, threads)]
