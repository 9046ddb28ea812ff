"""The rules for several settings together: which exclude each other, and which have no effect.

`Settings` itself applies the first kind, so it holds wherever settings come from. The second kind gives lines for the
user that name the place where each setting was given, so `fastwsgi.serve` and `Sources`, which know these places, ask
for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from fastwsgi.gil import HAS_GIL
from fastwsgi.settings.setting import SettingError

if TYPE_CHECKING:
    from fastwsgi.settings.given import Given
    from fastwsgi.settings.settings import Settings

NEEDS = {
    "max_requests_jitter": "max_requests",
    "max_worker_age_jitter": "max_worker_age",
    "max_worker_rss_jitter": "max_worker_rss",
    "forwarded_headers": "forwarded_allow_ips",
    "forwarded_hops": "forwarded_allow_ips",
    "status_allow": "status_bind",
    "statsd_prefix": "statsd_host",
    "dogstatsd_tags": "statsd_host",
    "proxy_allow_ips": "proxy_protocol",
    "static_max_age": "static",
    "static_immutable": "static",
    "static_index": "static",
}
"""Settings that only modify another one, which has no effect by default."""


LIMITS_OF_A_HEAD = ("limit_request_line", "limit_request_field_size", "limit_request_fields")
"""Those that 0 sets to what a whole head allows."""
SHORTEST_FIELD = len("a:\r\n")


def settle(values: dict[str, Any]) -> None:
    """Refuse *values* that exclude each other, and settle those that follow from another. Raises SettingError."""
    path = values["liveness_path"]
    if path and path == values["readiness_path"]:
        raise SettingError.between(
            ("liveness_path", "readiness_path"), f"are both {path}; each needs a path of its own"
        )
    if values["status_bind"] in values["bind"] and not values["status_bind"].endswith(":0"):
        raise SettingError.between(
            ("bind", "status_bind"), f"are both {values['status_bind']}; the status needs an address of its own"
        )
    if values["loops"] > 1 and HAS_GIL:
        raise SettingError.between(
            ("loops",),
            f"cannot be {values['loops']}: with a GIL, which this Python has, a process runs one loop; "
            "for more CPUs, have more --workers",
        )
    if values["loops"] > values["threads"]:
        raise SettingError.between(
            ("loops", "threads"), f"are {values['loops']} and {values['threads']}; each loop needs a thread"
        )
    for name in LIMITS_OF_A_HEAD:
        if values[name] == 0:
            values[name] = values["limit_request_head"] // (SHORTEST_FIELD if name.endswith("fields") else 1)
    if values["reload"]:  # --reload must load the application anew
        values["preload"] = False


def remarks(settings: Settings, given: Mapping[str, Given]) -> list[str]:
    """Lines about given values that have no effect, or another one than elsewhere."""
    return without_effect(settings, given) + unlike_elsewhere(settings, given)


def unlike_elsewhere(settings: Settings, given: Mapping[str, Given]) -> list[str]:
    """Lines about values that other servers take differently."""
    lines = []
    for name in LIMITS_OF_A_HEAD:
        if name in given and str(given[name].value) == "0":
            head = f"a whole head has at most {settings.limit_request_head} bytes"
            lines.append(f"{given[name].origin} 0: there is always a limit, here {getattr(settings, name)}, as {head}")
    for address in settings.bind if "bind" in given else ():
        port = address[len("[::]:") :]
        if address.startswith("[::]:") and not {f":{port}", f"0.0.0.0:{port}"} & set(settings.bind):
            lines.append(f"{given['bind'].origin} {address} is IPv6 alone; *:{port} takes IPv4, too")
    return lines


def without_effect(settings: Settings, given: Mapping[str, Given]) -> list[str]:
    """Lines about given values that have no effect with the other *settings*."""
    lines = []
    for name, needed in NEEDS.items():
        declaration = getattr(type(settings), needed)
        is_asked = name in given and given[name].by_user and getattr(settings, name)
        if is_asked and getattr(settings, needed) == declaration.default:
            lines.append(f"{given[name].origin} has no effect without {declaration.flag}")
    if settings.ready_queue and "ready_queue" in given and not (settings.readiness_path or settings.status_bind):
        lines.append(f"{given['ready_queue'].origin} has no effect without --readiness-path or --status-bind")
    if "access_log_format" in given and not (settings.access_logfile or settings.log_config):
        lines.append(f"{given['access_log_format'].origin} has no effect without --access-logfile")
    if "socket_mode" in given and not any(address.startswith(("unix:", "fd:")) for address in settings.bind):
        lines.append(f"{given['socket_mode'].origin} has no effect without a unix socket in --bind")
    if settings.proc_name and "proc_name" in given and find_spec("setproctitle") is None:
        lines.append(f"{given['proc_name'].origin} has no effect: it takes the package setproctitle (the extra title)")
    if settings.timeout and settings.slow_log >= settings.timeout:
        time_out = f"the time-out of {settings.timeout:g} s"
        lines.append(f"{given['slow_log'].origin} has no effect: it is not below {time_out}")
    if settings.reload and "preload" in given and given["preload"].value:
        overruling = given["reload"].origin
        lines.append(f"{given['preload'].origin} has no effect with {overruling}, which loads the application anew")
    return lines
