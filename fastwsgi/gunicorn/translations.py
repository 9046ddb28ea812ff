"""The settings of gunicorn's that we have, under the same or another name, and the translation of their values.

They are looked up by gunicorn's name, which its configuration files use. Those that we do not have are in
unsupported.py.
"""

from __future__ import annotations

from typing import Callable

from fastwsgi.observe.interfaces import CALLED, EXTENDED_BY
from fastwsgi.records import record
from fastwsgi.switch import SWITCH


def _same(value: object) -> object:
    return value


def _switch(value: object) -> object:
    return SWITCH.get(value.lower(), value) if isinstance(value, str) else value


def _addresses(value: object) -> object:
    """Addresses, which gunicorn also accepts without a port or with "tcp://"."""
    given = value.split(",") if isinstance(value, str) else value
    return [_address(item) for item in given] if isinstance(given, (list, tuple)) else value


def _address(item: object) -> object:
    if not isinstance(item, str) or item.startswith(("unix:", "fd://")):
        return item
    text = item.strip()
    text = text[len("tcp://") :] if text.startswith("tcp://") else text
    text = text if ":" in text.rpartition("]")[2] else f"{text}:8000"
    return "*" + text[len("[::]") :] if text.startswith("[::]:") else text  # IPv4, too, as Linux has it by default


def _peers(value: object) -> object:
    """Trusted peers, which in gunicorn always include those on a unix socket."""
    given = value.split(",") if isinstance(value, str) else value
    return [*filter(None, given), "unix"] if isinstance(given, (list, tuple)) else value


def _logging(value: object) -> object:
    """A table for dictConfig, whose keys replace gunicorn's (gunicorn.glogging.CONFIG_DEFAULTS)."""
    if not isinstance(value, dict):
        raise ValueError("must be a table for logging.config.dictConfig")
    return {**GUNICORN_LOGGING, CALLED: "logconfig_dict", **value}


def _logging_file(value: object) -> object:
    """A JSON file with such a table."""
    if not isinstance(value, str):
        raise ValueError("must be the path of a JSON file")
    return {**GUNICORN_LOGGING, CALLED: f"logconfig_json {value}", EXTENDED_BY: value}


def _logger(handler: str) -> dict[str, object]:
    return {"level": "INFO", "handlers": [handler], "propagate": True}


def _console(stream: str) -> dict[str, object]:
    return {"class": "logging.StreamHandler", "formatter": "generic", "stream": f"ext://sys.{stream}"}


GUNICORN_LOGGING: dict[str, object] = {
    "version": 1,
    "disable_existing_loggers": False,
    "root": {"level": "INFO", "handlers": ["console"]},
    "loggers": {"gunicorn.error": _logger("error_console"), "gunicorn.access": _logger("console")},
    "handlers": {"console": _console("stdout"), "error_console": _console("stderr")},
    "formatters": {
        "generic": {
            "class": "logging.Formatter",
            "format": "%(asctime)s [%(process)d] [%(levelname)s] %(message)s",
            "datefmt": "[%Y-%m-%d %H:%M:%S %z]",
        }
    },
}


@record(frozen=True)
class Translation:
    """A setting of gunicorn's that we have.

    Attributes:
        ours: its name here.
        convert: makes our value from one of gunicorn's, or raises ValueError.
        unset: the values that mean "not set".
    """

    ours: str
    convert: Callable[[object], object] = _same
    unset: tuple[object, ...] = (None, "", {})


TRANSLATIONS = {
    "wsgi_app": Translation("app"),
    "worker_class": Translation("worker_class"),
    "bind": Translation("bind", _addresses),
    "pidfile": Translation("pid"),
    "keepalive": Translation("keep_alive"),
    "preload_app": Translation("preload", _switch),
    "raw_env": Translation("env"),
    "accesslog": Translation("access_logfile"),
    "errorlog": Translation("error_logfile"),
    "loglevel": Translation("log_level"),
    "logconfig": Translation("log_config"),
    "logconfig_json": Translation("log_config", _logging_file),
    "logconfig_dict": Translation("log_config", _logging),
    "header_map": Translation("underscore_headers"),
    "worker_connections": Translation("max_connections"),
    "forwarded_allow_ips": Translation("forwarded_allow_ips", _peers, (None,)),
    "proxy_protocol": Translation("proxy_protocol"),
    "proxy_allow_ips": Translation("proxy_allow_ips", _peers, (None,)),
    "reload": Translation("reload", _switch),
    "reuse_port": Translation("reuse_port", _switch),
    **{
        name: Translation(name)
        for name in (
            *("backlog", "workers", "threads", "max_requests", "max_requests_jitter", "timeout", "graceful_timeout"),
            *("limit_request_line", "limit_request_fields", "limit_request_field_size", "reload_extra_files"),
            *("chdir", "user", "group", "umask", "access_log_format"),
            *("statsd_host", "statsd_prefix", "dogstatsd_tags"),
            *("proc_name", "pythonpath", "root_path", "certfile", "keyfile", "ca_certs", "cert_reqs", "ciphers"),
        )
    },
}
DEFAULTS: dict[str, object] = {
    "threads": 1,
    "forwarded_allow_ips": ["127.0.0.1", "::1", "unix"],
    "forwarded_headers": ["x-forwarded-proto"],
}
"""Those of gunicorn's defaults that its applications may rely on, by our names."""
