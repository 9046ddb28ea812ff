"""Gunicorn's settings, all of them, and what becomes of each here.

Most are ours, under their own name or another (`TAKEN`); the rest are left out (`LEFT`), each with the line that says
why and what to use. Both are looked up by gunicorn's name, which is what its configuration files use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

from fastwsgi.switch import SWITCH

HOOKS = (
    *("on_starting", "on_reload", "when_ready", "pre_fork", "post_fork", "post_worker_init", "worker_int"),
    *("worker_abort", "pre_exec", "pre_request", "post_request", "child_exit", "worker_exit", "nworkers_changed"),
    "on_exit",
)


def _same(value: Any) -> object:
    return value


def _switch(value: Any) -> object:
    return SWITCH.get(value.lower(), value) if isinstance(value, str) else value


def _addresses(value: Any) -> object:
    """Gunicorn takes an address without a port, and with "tcp://"."""
    given = value.split(",") if isinstance(value, str) else value
    return [_address(item) for item in given] if isinstance(given, (list, tuple)) else value


def _address(item: Any) -> Any:
    if not isinstance(item, str) or item.startswith(("unix:", "fd://")):
        return item
    text = item.strip()
    text = text[len("tcp://") :] if text.startswith("tcp://") else text
    return text if ":" in text.rpartition("]")[2] else f"{text}:8000"


def _limit(value: Any) -> object:
    """0 is no limit in gunicorn; here a head has its own, 64 KiB."""
    return "64K" if value in (0, "0") else value


def _peers(value: Any) -> object:
    """Gunicorn always trusts whoever comes by a unix socket."""
    given = value.split(",") if isinstance(value, str) else value
    return [*filter(None, given), "unix"] if isinstance(given, (list, tuple)) else value


def _logging(value: Any) -> object:
    """A table for dictConfig; the formatter and handlers that gunicorn has itself are below it."""
    return {**LOGGING, **value} if isinstance(value, dict) else value


LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "generic": {
            "format": "%(asctime)s [%(process)d] [%(levelname)s] %(message)s",
            "datefmt": "[%Y-%m-%d %H:%M:%S %z]",
        }
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "generic", "stream": "ext://sys.stdout"},
        "error_console": {"class": "logging.StreamHandler", "formatter": "generic", "stream": "ext://sys.stderr"},
    },
}


@dataclass(frozen=True)
class Taken:
    """A setting of gunicorn's that is one of ours: its name here, and how a value of it becomes one of ours.

    `empties` are the values that say nothing.
    """

    ours: str
    convert: Callable[[Any], object] = _same
    empties: tuple[object, ...] = (None, "", {})


TAKEN = {
    "wsgi_app": Taken("app"),
    "bind": Taken("bind", _addresses),
    "pidfile": Taken("pid"),
    "keepalive": Taken("keep_alive"),
    "preload_app": Taken("preload", _switch),
    "raw_env": Taken("env"),
    "accesslog": Taken("access_logfile"),
    "errorlog": Taken("error_logfile"),
    "loglevel": Taken("log_level"),
    "logconfig": Taken("log_config"),
    "logconfig_json": Taken("log_config"),
    "logconfig_dict": Taken("log_config", _logging),
    "header_map": Taken("underscore_headers"),
    "worker_connections": Taken("max_connections"),
    "forwarded_allow_ips": Taken("forwarded_allow_ips", _peers, (None,)),
    "proxy_protocol": Taken("proxy_protocol"),
    "proxy_allow_ips": Taken("proxy_allow_ips", _peers, (None,)),
    "reload": Taken("reload", _switch),
    "reuse_port": Taken("reuse_port", _switch),
    "limit_request_line": Taken("limit_request_line", _limit),
    "limit_request_field_size": Taken("limit_request_field_size", _limit),
    **{
        name: Taken(name)
        for name in (
            *("backlog", "workers", "threads", "max_requests", "max_requests_jitter", "timeout", "graceful_timeout"),
            *("limit_request_fields", "reload_extra_files", "chdir", "user", "group", "umask", "access_log_format"),
            *("proc_name", "pythonpath", "root_path", "certfile", "keyfile", "ca_certs", "cert_reqs", "ciphers"),
        )
    },
}
DEFAULTS: dict[str, object] = {
    "threads": 1,
    "forwarded_allow_ips": ["127.0.0.1", "::1", "unix"],
    "forwarded_headers": ["x-forwarded-proto"],
}
"""Of gunicorn's defaults those that an application which runs under it may count on, by our names."""
OWN_FLAGS = {"config": ("-c", "--config"), "check_config": ("--check-config",), "print_config": ("--print-config",)}
"""Settings of gunicorn's that say what the command does, as they do here."""

MOOT = "moot"
"""What it is for is had without it: accepted, with a line."""
LEFT_OUT = "left out"
"""Refused on the command line; in a file, a line tells."""
NEEDED = "needed"
"""Refused everywhere: to serve without it would be another service than was asked for."""


@dataclass(frozen=True)
class Left:
    """A setting of gunicorn's that is left out.

    `instead` completes a line that starts with its name; `flags` are gunicorn's, and `values` how many values
    they take (argparse's `nargs`); `harmless` values say what is so anyway.
    """

    instead: str
    flags: tuple[str, ...] = ()
    harmless: tuple[object, ...] = ()
    weight: str = LEFT_OUT
    values: int | str = 1

    def is_harmless(self, value: object) -> bool:
        """Whether `value`, or its text, asks for nothing. (`None` is "not given" in gunicorn's files.)"""
        return value is None or str(value) in map(str, self.harmless)


_SYNC = (
    *("sync", "gthread", "gunicorn.workers.sync.SyncWorker", "gunicorn.workers.gthread.ThreadWorker"),
    *("egg:gunicorn#sync", "egg:gunicorn#gthread"),
)
_HTTP2 = "HTTP/2 is not spoken; a proxy may speak it with the clients"
_ASGI = "ASGI and WebSockets are not spoken; serve such an application with an ASGI server"
_DIRTY = "there are no processes for long work; use a task queue"
_STATSD = "no statistics are sent by statsd; have the access log as JSON (--access-log-format json) and count there"
_SYSLOG = "log to standard error, which systemd and Docker pass on, or set up a SysLogHandler with --log-config"
_GRAMMAR = "requests that are malformed in this way are refused, always"
_SOCKET = "there is no control socket; use signals: HUP, TTIN, TTOU, USR1, USR2, TERM"

LEFT = {
    "worker_class": Left(
        "there is one kind of worker; --threads N runs N requests at a time in each, and none waits for slow clients",
        ("-k", "--worker-class"),
        _SYNC,
    ),
    "worker_tmp_dir": Left(
        "not needed: the heartbeat is in shared memory, not in a file", ("--worker-tmp-dir",), (), MOOT
    ),
    "daemon": Left(
        "it stays in the foreground; let systemd or a container run it, or nohup fastwsgi ... &",
        ("-D", "--daemon"),
        (False,),
        values=0,
    ),
    "spew": Left(
        "use --slow-log SECONDS, which logs the stack of a slow request", ("--spew",), (False,), values=0
    ),
    "reload_engine": Left(
        "not needed: watchfiles is used where it is installed, and else polling",
        ("--reload-engine",),
        ("auto",),
        MOOT,
    ),
    "sendfile": Left(
        "not needed: sendfile is used only for an application that asks for it with wsgi.file_wrapper",
        ("--no-sendfile",),
        (True,),
        MOOT,
        0,
    ),
    "initgroups": Left("not needed: it is part of --user", ("--initgroups",), (False, True), MOOT, 0),
    "tmp_upload_dir": Left("set the environment variable TMPDIR, which holds for all temporary files"),
    "secure_scheme_headers": Left(
        "the scheme comes from X-Forwarded-Proto or Forwarded alone; have the proxy send one of them",
        (),
        (
            {"X-FORWARDED-PROTO": "https"},
            {"X-FORWARDED-PROTOCOL": "ssl", "X-FORWARDED-PROTO": "https", "X-FORWARDED-SSL": "on"},
        ),
    ),
    "forwarder_headers": Left(
        "a proxy sets SCRIPT_NAME by X-Forwarded-Prefix, with --forwarded-headers; --root-path sets it for all",
        ("--forwarder-headers",),
        ("SCRIPT_NAME,PATH_INFO",),
    ),
    "protocol": Left("HTTP is spoken, and not uwsgi", ("--protocol",), ("http",), NEEDED),
    "uwsgi_allow_ips": Left("HTTP is spoken, and not uwsgi", ("--uwsgi-allow-from",), ("127.0.0.1,::1",)),
    "disable_redirect_access_to_syslog": Left(
        _SYSLOG, ("--disable-redirect-access-to-syslog",), (False, True), MOOT, 0
    ),
    "capture_output": Left(
        "what the application prints stays on standard output and error; redirect those",
        ("--capture-output",),
        (False,),
        MOOT,
        0,
    ),
    "enable_stdio_inheritance": Left(
        "not needed: standard output and error are always inherited",
        ("-R", "--enable-stdio-inheritance"),
        (False, True),
        MOOT,
        0,
    ),
    "logger_class": Left(
        "use --log-config and --access-log-format", ("--logger-class",), ("gunicorn.glogging.Logger",)
    ),
    "syslog": Left(_SYSLOG, ("--log-syslog",), (False,), values=0),
    "syslog_addr": Left(_SYSLOG, ("--log-syslog-to",), ("udp://localhost:514",)),
    "syslog_prefix": Left(_SYSLOG, ("--log-syslog-prefix",)),
    "syslog_facility": Left(_SYSLOG, ("--log-syslog-facility",), ("user",)),
    "statsd_host": Left(_STATSD, ("--statsd-host",)),
    "statsd_prefix": Left(_STATSD, ("--statsd-prefix",), ("",)),
    "dogstatsd_tags": Left(_STATSD, ("--dogstatsd-tags",), ("",)),
    "enable_backlog_metric": Left(_STATSD, ("--enable-backlog-metric",), (False,), values=0),
    "default_proc_name": Left("use --name", (), ("gunicorn",)),
    "paste": Left(
        "there is no PasteDeploy in this version; name what makes the application: 'MODULE:FACTORY()'",
        ("--paste", "--paster"),
        weight=NEEDED,
    ),
    "raw_paste_global_conf": Left("there is no PasteDeploy in this version", ("--paste-global",)),
    "ssl_version": Left(
        "not needed: gunicorn does not heed it either; use --ssl-min-version", ("--ssl-version",), (2,), MOOT
    ),
    "suppress_ragged_eofs": Left(
        "not needed: an end without close_notify is an end, and a body that is cut is refused by its length",
        ("--suppress-ragged-eofs",),
        (True,),
        MOOT,
        0,
    ),
    "do_handshake_on_connect": Left(
        "not needed: no thread waits for a handshake", ("--do-handshake-on-connect",), (False,), MOOT, 0
    ),
    "ssl_context": Left(
        "no context of the user's own is taken; use --certfile, --ssl-min-version, --ciphers and --ca-certs",
        weight=NEEDED,
    ),
    "http_protocols": Left(_HTTP2, ("--http-protocols",), ("h1",)),
    "http2_cleartext": Left(_HTTP2, ("--http2-cleartext",), (False, "off"), values="?"),
    "http2_max_concurrent_streams": Left(_HTTP2, ("--http2-max-concurrent-streams",), (100,)),
    "http2_initial_window_size": Left(_HTTP2, ("--http2-initial-window-size",), (65535,)),
    "http2_max_frame_size": Left(_HTTP2, ("--http2-max-frame-size",), (16384,)),
    "http2_max_header_list_size": Left(_HTTP2, ("--http2-max-header-list-size",), (65536,)),
    "permit_obsolete_folding": Left(_GRAMMAR, ("--permit-obsolete-folding",), (False,), values=0),
    "strip_header_spaces": Left(_GRAMMAR, ("--strip-header-spaces",), (False,), values=0),
    "permit_unconventional_http_method": Left(
        _GRAMMAR, ("--permit-unconventional-http-method",), (False,), values=0
    ),
    "permit_unconventional_http_version": Left(
        _GRAMMAR, ("--permit-unconventional-http-version",), (False,), values=0
    ),
    "casefold_http_method": Left(_GRAMMAR, ("--casefold-http-method",), (False,), values=0),
    "http_parser": Left("not needed: llhttp reads what is not plain", ("--http-parser",), ("auto",), MOOT),
    "asgi_loop": Left(_ASGI, ("--asgi-loop",), ("auto",)),
    "asgi_lifespan": Left(_ASGI, ("--asgi-lifespan",), ("auto",)),
    "asgi_disconnect_grace_period": Left(_ASGI, ("--asgi-disconnect-grace-period",), (3,)),
    "websocket_max_message_size": Left(_ASGI, ("--websocket-max-message-size",), (16777216,)),
    "dirty_apps": Left(_DIRTY, ("--dirty-app",), ([],)),
    "dirty_workers": Left(_DIRTY, ("--dirty-workers",), (0,)),
    "dirty_timeout": Left(_DIRTY, ("--dirty-timeout",), (300,)),
    "dirty_threads": Left(_DIRTY, ("--dirty-threads",), (1,)),
    "dirty_graceful_timeout": Left(_DIRTY, ("--dirty-graceful-timeout",), (30,)),
    "on_dirty_starting": Left(_DIRTY),
    "dirty_post_fork": Left(_DIRTY),
    "dirty_worker_init": Left(_DIRTY),
    "dirty_worker_exit": Left(_DIRTY),
    "control_socket": Left(_SOCKET, ("--control-socket",)),
    "control_socket_mode": Left(_SOCKET, ("--control-socket-mode",), (0o600,)),
    "control_socket_disable": Left(_SOCKET, ("--no-control-socket",), (False, True), MOOT, 0),
}
