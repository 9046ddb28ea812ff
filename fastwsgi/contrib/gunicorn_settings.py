"""gunicorn's `cfg` as the settings of our loop, and the lines about what of it cannot be honoured here.

Settings that gunicorn does not have may be given as variables, FASTWSGI_SLOW_LOG=2; what its arbiter and its logger
care for stays theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastwsgi.gunicorn.translations import DEFAULTS, TRANSLATIONS
from fastwsgi.gunicorn.unsupported import UNSUPPORTED
from fastwsgi.mistakes import Finding, Mistake, UsageError, WrongValue
from fastwsgi.settings import environment
from fastwsgi.settings.settings import SETTINGS, SettingError, Settings

HONOURED = (
    *("workers", "threads", "worker_connections", "keepalive", "graceful_timeout", "root_path"),
    *("limit_request_line", "limit_request_fields", "limit_request_field_size", "header_map"),
    *("forwarded_allow_ips", "proxy_protocol", "proxy_allow_ips"),
)
"""Those of gunicorn's settings that our loop reads; those of TLS besides."""
NOT_HONOURED = (
    *("secure_scheme_headers", "forwarder_headers", "tmp_upload_dir", "protocol", "http_protocols", "http2_cleartext"),
    *("permit_obsolete_folding", "strip_header_spaces", "permit_unconventional_http_method"),
    *("permit_unconventional_http_version", "casefold_http_method"),
)
"""Those that a worker of gunicorn's own would heed, and ours does not."""
VERIFICATION = {0: "none", 1: "optional", 2: "required"}
DANGEROUS = "header_map dangerous: fields with an underscore in their names are dropped, as with header_map drop"
DEADLINE = "timeout"  # gunicorn's is that of the worker, ours that of a request
OWN = {name for name, one in SETTINGS.items() if not one.supervised} - {one.ours for one in TRANSLATIONS.values()}


def read(cfg: Any, variables: Mapping[str, str]) -> tuple[Settings, list[str]]:
    """The settings, and lines about those of gunicorn's that have no effect.

    Args:
        cfg: gunicorn.config.Config, of any version.
        variables: the environment.

    Raises:
        Mistake: a setting has a value that cannot be used here.
    """
    given = {name: one.get() for name, one in cfg.settings.items()}
    lines = [
        f"{name}: {UNSUPPORTED[name].instead}"
        for name in NOT_HONOURED
        if name in given and not is_default(cfg, name) and not UNSUPPORTED[name].is_harmless(given[name])
    ]
    if given.get("header_map") == "dangerous":
        given["header_map"] = "drop"
        lines.append(DANGEROUS)
    values = {**DEFAULTS, **_translated(given), **_encryption(given)}
    if variables.get("SCRIPT_NAME"):
        values["root_path"] = variables["SCRIPT_NAME"].rstrip("/")
    finding = Finding()
    for name, one in environment.variables(variables, finding).items():
        if name in OWN or name == DEADLINE:
            values[name] = one.value
    finding.end()
    try:
        return Settings(**values), lines
    except SettingError as error:
        raise Mistake(f"{' and '.join(map(_gunicorns, error.names))} {error.problem}") from None


def told(mistake: Mistake) -> Mistake:
    """*mistake*, with what gives the setting here instead of our option."""
    if not isinstance(mistake, WrongValue):
        return mistake
    return mistake.told({setting.flag: _gunicorns(name) for name, setting in SETTINGS.items()})


def is_default(cfg: Any, name: str) -> bool:
    """Whether a setting or hook of gunicorn's is as it is where nobody sets it."""
    setting = cfg.settings[name]
    return bool(setting.get() == type(setting)().get())


def _translated(given: Mapping[str, object]) -> dict[str, object]:
    values = {}
    for name in HONOURED:
        if name in given and given[name] not in TRANSLATIONS[name].unset:
            values[TRANSLATIONS[name].ours] = TRANSLATIONS[name].convert(given[name])
    return values


def _encryption(given: Mapping[str, Any]) -> dict[str, object]:
    """The settings of TLS; certificates of clients are looked at only where that is asked for."""
    if not given.get("certfile"):
        if given.get("keyfile"):
            raise UsageError("keyfile is for TLS, and there is no certificate: give certfile")
        return {}
    values: dict[str, object] = {"certfile": [given["certfile"]]}
    if given.get("keyfile"):
        values["keyfile"] = [given["keyfile"]]
    if given.get("ciphers"):
        values["ciphers"] = given["ciphers"]
    if given.get("cert_reqs"):
        values["cert_reqs"] = VERIFICATION[int(given["cert_reqs"])]
        values["ca_certs"] = given.get("ca_certs")
    return values


def _gunicorns(name: str) -> str:
    """gunicorn's name of our setting *name*, or else the variable that gives it."""
    found = [theirs for theirs, one in TRANSLATIONS.items() if one.ours == name and name != DEADLINE]
    return found[0] if found else f"FASTWSGI_{name.upper()}"
