"""The settings of gunicorn's that we do not have, each with the line that says why and what to use instead."""

from __future__ import annotations

from fastwsgi.records import record

ACCEPTED = "accepted"
"""Its purpose is served without it, which a line reports."""
REFUSED_AS_OPTION = "refused as an option"
"""Refused on the command line; in a file it has no effect, which a line reports."""
REFUSED = "refused"
"""Refused everywhere: without it, the service would not be the one that was asked for."""


@record(frozen=True)
class Unsupported:
    """A setting of gunicorn's that we do not have.

    Attributes:
        instead: completes a line that begins with its name.
        flags: gunicorn's options for it.
        harmless: the values that change nothing.
        treatment: one of the words above.
        nargs: the number of values the options take: 0, 1 or "?", which is one or none.
    """

    instead: str
    flags: tuple[str, ...] = ()
    harmless: tuple[object, ...] = ()
    treatment: str = REFUSED_AS_OPTION
    nargs: int | str = 1

    def is_harmless(self, value: object) -> bool:
        """Whether *value*, or its text, changes nothing. (None means "not given" in gunicorn's files.)"""
        return value is None or str(value) in map(str, self.harmless)


_BACKLOG = "not needed: --statsd-host is sent it always, and --status-bind shows it as listen_queue"
_HTTP2 = "HTTP/2 is not spoken; a proxy may speak it with the clients"
_ASGI = "ASGI and WebSockets are not spoken; serve such an application with an ASGI server"
_DIRTY = "there are no processes for long work; use a task queue"
_SYSLOG = "log to standard error, which systemd and Docker pass on, or set up a SysLogHandler with --log-config"
_GRAMMAR = "requests that are malformed in this way are refused, always"
_SOCKET = "there is no control socket; --status-bind shows the state; signals change it: HUP, TTIN, TTOU, USR2, TERM"

UNSUPPORTED = {
    "worker_tmp_dir": Unsupported(
        "not needed: the heartbeat is in shared memory, not in a file", ("--worker-tmp-dir",), (), ACCEPTED
    ),
    "daemon": Unsupported(
        "it stays in the foreground; let systemd or a container run it, or nohup fastwsgi ... &",
        ("-D", "--daemon"),
        (False,),
        nargs=0,
    ),
    "spew": Unsupported(
        "use --slow-log SECONDS, which logs the stack of a slow request", ("--spew",), (False,), nargs=0
    ),
    "reload_engine": Unsupported(
        "not needed: watchfiles is used where it is installed, and else polling",
        ("--reload-engine",),
        ("auto",),
        ACCEPTED,
    ),
    "sendfile": Unsupported(
        "not needed: sendfile is used only for an application that asks for it with wsgi.file_wrapper",
        ("--no-sendfile",),
        (True,),
        ACCEPTED,
        0,
    ),
    "initgroups": Unsupported("not needed: it is part of --user", ("--initgroups",), (False, True), ACCEPTED, 0),
    "tmp_upload_dir": Unsupported("set the environment variable TMPDIR, which holds for all temporary files"),
    "secure_scheme_headers": Unsupported(
        "the scheme comes from X-Forwarded-Proto or Forwarded alone; have the proxy send one of them",
        (),
        (
            {"X-FORWARDED-PROTO": "https"},
            {"X-FORWARDED-PROTOCOL": "ssl", "X-FORWARDED-PROTO": "https", "X-FORWARDED-SSL": "on"},
        ),
    ),
    "forwarder_headers": Unsupported(
        "a proxy sets SCRIPT_NAME by X-Forwarded-Prefix, with --forwarded-headers; --root-path sets it for all",
        ("--forwarder-headers",),
        ("SCRIPT_NAME,PATH_INFO",),
    ),
    "protocol": Unsupported("HTTP is spoken, and not uwsgi", ("--protocol",), ("http",), REFUSED),
    "uwsgi_allow_ips": Unsupported("HTTP is spoken, and not uwsgi", ("--uwsgi-allow-from",), ("127.0.0.1,::1",)),
    "disable_redirect_access_to_syslog": Unsupported(
        _SYSLOG, ("--disable-redirect-access-to-syslog",), (False, True), ACCEPTED, 0
    ),
    "capture_output": Unsupported(
        "what the application prints stays on standard output and error; redirect those",
        ("--capture-output",),
        (False,),
        ACCEPTED,
        0,
    ),
    "enable_stdio_inheritance": Unsupported(
        "not needed: standard output and error are always inherited",
        ("-R", "--enable-stdio-inheritance"),
        (False, True),
        ACCEPTED,
        0,
    ),
    "logger_class": Unsupported(
        "use --log-config and --access-log-format", ("--logger-class",), ("gunicorn.glogging.Logger",)
    ),
    "syslog": Unsupported(_SYSLOG, ("--log-syslog",), (False,), nargs=0),
    "syslog_addr": Unsupported(_SYSLOG, ("--log-syslog-to",), ("udp://localhost:514",)),
    "syslog_prefix": Unsupported(_SYSLOG, ("--log-syslog-prefix",)),
    "syslog_facility": Unsupported(_SYSLOG, ("--log-syslog-facility",), ("user",)),
    "enable_backlog_metric": Unsupported(_BACKLOG, ("--enable-backlog-metric",), (False,), ACCEPTED, 0),
    "default_proc_name": Unsupported("use --name", (), ("gunicorn",)),
    "paste": Unsupported(
        "give it on the command line: fastwsgi --paste production.ini",
        treatment=REFUSED,
    ),
    "raw_paste_global_conf": Unsupported("write them below [DEFAULT] in the file of --paste", ("--paste-global",)),
    "ssl_version": Unsupported(
        "not needed: gunicorn does not heed it either; use --ssl-min-version", ("--ssl-version",), (2,), ACCEPTED
    ),
    "suppress_ragged_eofs": Unsupported(
        "not needed: an end without close_notify is an end, and a body that is cut is refused by its length",
        ("--suppress-ragged-eofs",),
        (True,),
        ACCEPTED,
        0,
    ),
    "do_handshake_on_connect": Unsupported(
        "not needed: no thread waits for a handshake", ("--do-handshake-on-connect",), (False,), ACCEPTED, 0
    ),
    "http_protocols": Unsupported(_HTTP2, ("--http-protocols",), ("h1",)),
    "http2_cleartext": Unsupported(_HTTP2, ("--http2-cleartext",), (False, "off"), nargs="?"),
    "http2_max_concurrent_streams": Unsupported(_HTTP2, ("--http2-max-concurrent-streams",), (100,)),
    "http2_initial_window_size": Unsupported(_HTTP2, ("--http2-initial-window-size",), (65535,)),
    "http2_max_frame_size": Unsupported(_HTTP2, ("--http2-max-frame-size",), (16384,)),
    "http2_max_header_list_size": Unsupported(_HTTP2, ("--http2-max-header-list-size",), (65536,)),
    "permit_obsolete_folding": Unsupported(_GRAMMAR, ("--permit-obsolete-folding",), (False,), nargs=0),
    "strip_header_spaces": Unsupported(_GRAMMAR, ("--strip-header-spaces",), (False,), nargs=0),
    "permit_unconventional_http_method": Unsupported(
        _GRAMMAR, ("--permit-unconventional-http-method",), (False,), nargs=0
    ),
    "permit_unconventional_http_version": Unsupported(
        _GRAMMAR, ("--permit-unconventional-http-version",), (False,), nargs=0
    ),
    "casefold_http_method": Unsupported(_GRAMMAR, ("--casefold-http-method",), (False,), nargs=0),
    "http_parser": Unsupported("not needed: llhttp reads what is not plain", ("--http-parser",), ("auto",), ACCEPTED),
    "asgi_loop": Unsupported(_ASGI, ("--asgi-loop",), ("auto",)),
    "asgi_lifespan": Unsupported(_ASGI, ("--asgi-lifespan",), ("auto",)),
    "asgi_disconnect_grace_period": Unsupported(_ASGI, ("--asgi-disconnect-grace-period",), (3,)),
    "websocket_max_message_size": Unsupported(_ASGI, ("--websocket-max-message-size",), (16777216,)),
    "dirty_apps": Unsupported(_DIRTY, ("--dirty-app",), ([],)),
    "dirty_workers": Unsupported(_DIRTY, ("--dirty-workers",), (0,)),
    "dirty_timeout": Unsupported(_DIRTY, ("--dirty-timeout",), (300,)),
    "dirty_threads": Unsupported(_DIRTY, ("--dirty-threads",), (1,)),
    "dirty_graceful_timeout": Unsupported(_DIRTY, ("--dirty-graceful-timeout",), (30,)),
    "on_dirty_starting": Unsupported(_DIRTY),
    "dirty_post_fork": Unsupported(_DIRTY),
    "dirty_worker_init": Unsupported(_DIRTY),
    "dirty_worker_exit": Unsupported(_DIRTY),
    "control_socket": Unsupported(_SOCKET, ("--control-socket",)),
    "control_socket_mode": Unsupported(_SOCKET, ("--control-socket-mode",), (0o600,)),
    "control_socket_disable": Unsupported(_SOCKET, ("--no-control-socket",), (False, True), ACCEPTED, 0),
}
