"""The rules that concern several settings together: which exclude each other, and which have no effect.

`Settings` applies the rules of the first kind itself, so they hold wherever settings come from. Those of the second
kind give lines for the user that name the place where each setting was given, so `fastwsgi.serve` and `Sources`, which
know these places, ask for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastwsgi.settings.setting import SettingError

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings

JITTERS = {f"{name}_jitter": name for name in ("max_requests", "max_worker_age", "max_worker_rss")}


@dataclass(frozen=True)
class Given:
    """A value that was given, still to be read.

    Attributes:
        value: as it was given.
        origin: where: a flag, a variable, a file and its key, or the keyword of a call.
        by_user: False for a default that holds beside a file of gunicorn's.
    """

    value: object
    origin: str
    by_user: bool = True


def settle(values: dict[str, object]) -> None:
    """Refuse *values* that exclude each other, and turn off what another setting overrules. Raises SettingError."""
    path = values["liveness_path"]
    if path and path == values["readiness_path"]:
        raise SettingError.between(
            ("liveness_path", "readiness_path"), f"are both {path}; each needs a path of its own"
        )
    if values["reload"]:  # it loads the application anew
        values["preload"] = False


def without_effect(settings: Settings, given: Mapping[str, Given]) -> list[str]:
    """Lines about what was given and has no effect beside the other *settings*."""
    lines = [
        f"{given[jitter].origin} has no effect without {_flag(settings, name)}"
        for jitter, name in JITTERS.items()
        if getattr(settings, jitter) and not getattr(settings, name)
    ]
    needed = "forwarded_allow_ips"
    for name in ("forwarded_headers", "forwarded_hops"):
        if name in given and given[name].by_user and not settings.forwarded_allow_ips:
            lines.append(f"{given[name].origin} has no effect without {_flag(settings, needed)}")
    if settings.proxy_protocol == "off" and "proxy_allow_ips" in given:
        lines.append(f"{given['proxy_allow_ips'].origin} has no effect without {_flag(settings, 'proxy_protocol')}")
    if settings.timeout and settings.slow_log >= settings.timeout:
        time_out = f"the time-out of {settings.timeout:g} s"
        lines.append(f"{given['slow_log'].origin} has no effect: it is not below {time_out}")
    if settings.reload and "preload" in given and given["preload"].value:
        overruling = given["reload"].origin
        lines.append(f"{given['preload'].origin} has no effect with {overruling}, which loads the application anew")
    return lines


def _flag(settings: Settings, name: str) -> str:
    flag: str = getattr(type(settings), name).flag
    return flag
