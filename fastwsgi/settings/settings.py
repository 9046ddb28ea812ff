"""Every setting, declared once: name, kind, default, help and flags.

The bodies of `Settings` and of its bases are the table; setting.py lists what each entry makes. A `Settings` object
holds the values and never changes. A setting that gunicorn has, too, has gunicorn's name. Times are in seconds, sizes
in bytes.
"""

from __future__ import annotations

from typing import Any, NoReturn

from fastwsgi.mistakes import nearest
from fastwsgi.settings import kinds, rules
from fastwsgi.settings.kinds import OFFSET_MAX
from fastwsgi.settings.setting import Setting, SettingError
from fastwsgi.settings.static_settings import StaticSettings
from fastwsgi.settings.status_settings import StatusSettings

__all__ = ["SETTINGS", "Setting", "SettingError", "Settings"]

APPLICATION = "the application"
SERVER = "the server"
ENCRYPTION = "encryption"
PROXIES = "behind proxies"
PROCESSES = "processes and threads"
TIMES = "times"
LIMITS = "limits"
LOGS = "logs"


class Settings(StaticSettings, StatusSettings):
    """The values of all settings: those given, and the defaults of the others.

    Raises:
        SettingError: there is no setting of a name (the nearest known one is suggested), a setting cannot have its
            value, or values exclude each other.
    """

    chdir = Setting(
        APPLICATION, kinds.path("directory"), None, "change to this directory before all else", reloadable=False
    )
    pythonpath = Setting(
        APPLICATION,
        kinds.texts("DIRS", ",", completes="directory"),
        [],
        "directories (with commas) to import from first",
    )
    factory = Setting(
        APPLICATION, kinds.flag(), False, "ATTR is a function that makes the application: call it"
    )
    env = Setting(
        APPLICATION,
        kinds.assignments(),
        [],
        "variable to set before the application is loaded; may be given several times",
        ("-e",),
    )
    root_path = Setting(
        APPLICATION,
        kinds.url_prefix(),
        "",
        "path under which a proxy mounts the application, such as /shop (SCRIPT_NAME)",
        ("--root-path", "--script-name"),
    )

    bind = Setting(
        SERVER,
        kinds.addresses(),
        ["127.0.0.1:8000"],
        "HOST:PORT, [::1]:PORT, :PORT, *:PORT, unix:/path/of.sock, unix:@name or fd://N; may be given several times",
        ("-b",),
    )
    reuse_port = Setting(
        SERVER, kinds.flag(), False, "give each worker a listener of its own (SO_REUSEPORT)", supervised=True
    )
    socket_mode = Setting(
        SERVER, kinds.mode(), None, "mode, in octal, of unix sockets; default: as umask has it, or else 600"
    )
    backlog = Setting(SERVER, kinds.count(1), 2048, "how many connections may wait for accept")
    defer_accept = Setting(
        SERVER, kinds.flag(), True, "accept connections before their first bytes are there"
    )
    scanner = Setting(SERVER, kinds.flag(), True, "parse every request head with llhttp")
    server_header = Setting(
        SERVER, kinds.field_value(), "fastwsgi", "Server field of responses; empty sends none"
    )

    certfile = Setting(
        ENCRYPTION,
        kinds.texts("PATH", completes="file"),
        [],
        "speak TLS, with the certificate and chain (PEM) in this file; may be given several times, for several hosts",
    )
    keyfile = Setting(
        ENCRYPTION, kinds.texts("PATH", completes="file"), [], "key (PEM) of each certificate, if not in the same file"
    )
    ca_certs = Setting(
        ENCRYPTION, kinds.path(), None, "authorities (PEM) that sign the certificates of clients"
    )
    cert_reqs = Setting(ENCRYPTION, kinds.verification(), "none", "whether clients must have a certificate")
    ssl_min_version = Setting(
        ENCRYPTION, kinds.choice("TLSv1.2", "TLSv1.3"), "TLSv1.2", "oldest version of TLS that is spoken"
    )
    ciphers = Setting(
        ENCRYPTION, kinds.text("LIST"), "ECDHE+AESGCM:ECDHE+CHACHA20", "ciphers for TLS 1.2, as OpenSSL writes them"
    )

    forwarded_allow_ips = Setting(
        PROXIES,
        kinds.peers(),
        [],
        "who is believed about the client: addresses, networks (10.0.0.0/8), unix, or * for everybody",
    )
    forwarded_headers = Setting(
        PROXIES,
        kinds.forwarded_headers(),
        ["x-forwarded-for", "x-forwarded-proto"],
        "what they say it with: x-forwarded-for, -proto, -host, -port, -prefix, or forwarded (RFC 7239)",
    )
    forwarded_hops = Setting(PROXIES, kinds.count(1, 100), 1, "how many proxies in a row add to those lists")
    forwarded_untrusted = Setting(
        PROXIES,
        kinds.choice("pass", "drop"),
        "pass",
        "such headers that are not believed: pass them on as they are, or drop them",
    )
    proxy_protocol = Setting(
        PROXIES,
        kinds.proxy_protocol(),
        "off",
        "PROXY header before the first request of a connection, version 1 or 2; alone it means optional",
    )
    proxy_allow_ips = Setting(
        PROXIES,
        kinds.peers(least=1),
        ["127.0.0.1", "::1", "unix"],
        "who may send it: as in --forwarded-allow-ips",
        ("--proxy-allow-from", "--proxy-allow-ips"),
    )

    workers = Setting(
        PROCESSES, kinds.workers(), 1, "worker processes; auto: one for each usable CPU", ("-w",), supervised=True
    )
    threads = Setting(PROCESSES, kinds.count(1, 1024), 4, "threads that run the application in each worker")
    loops = Setting(
        PROCESSES,
        kinds.count(0, 1024),
        0,
        "event loops of each worker, on a Python without a GIL; 0: as many as its threads can keep busy at once",
    )
    max_queue = Setting(
        PROCESSES, kinds.count(0), 1024, "requests that may wait for a thread in each worker; beyond: 503"
    )
    max_waiting_streams = Setting(
        PROCESSES, kinds.count(1), 100, "streams that may wait for slow clients, each with a thread of its own"
    )
    preload = Setting(
        PROCESSES,
        kinds.flag(),
        False,
        "load the application before the workers are forked",
        ("--preload", "--preload-app"),
        reloadable=False,
    )
    max_requests = Setting(
        PROCESSES, kinds.count(0), 0, "replace a worker after so many requests; 0: never", supervised=True
    )
    max_requests_jitter = Setting(PROCESSES, kinds.count(0), 0, "at most so many more, at random")
    max_worker_age = Setting(
        PROCESSES, kinds.seconds(zero=True), 0.0, "replace a worker after this time; 0: never", supervised=True
    )
    max_worker_age_jitter = Setting(
        PROCESSES, kinds.seconds(zero=True), 0.0, "at most so much later, at random"
    )
    max_worker_rss = Setting(
        PROCESSES,
        kinds.size(0, OFFSET_MAX),
        0,
        "replace a worker that has more memory resident; 0: never",
        supervised=True,
    )
    max_worker_rss_jitter = Setting(
        PROCESSES, kinds.size(0, OFFSET_MAX), 0, "at most so much more, at random"
    )
    reload = Setting(
        PROCESSES,
        kinds.flag(),
        False,
        "for development: restart when a source file changes",
        reloadable=False,
        supervised=True,
    )
    reload_extra_files = Setting(
        PROCESSES,
        kinds.texts("PATH", completes="file"),
        [],
        "a file that --reload watches, too",
        ("--reload-extra-file", "--reload-extra-files"),
        reloadable=False,
    )
    user = Setting(
        PROCESSES,
        kinds.account("user"),
        None,
        "user, by name or number, that the workers run as",
        ("-u",),
        reloadable=False,
        supervised=True,
    )
    group = Setting(
        PROCESSES,
        kinds.account("group"),
        None,
        "group, by name or number, that the workers run as",
        ("-g",),
        reloadable=False,
        supervised=True,
    )
    umask = Setting(
        PROCESSES,
        kinds.mode(),
        None,
        "mode bits, in octal, that created files do not get",
        ("-m",),
        reloadable=False,
        supervised=True,
    )
    pid = Setting(
        PROCESSES,
        kinds.path(),
        None,
        "file for the supervisor's process ID",
        ("-p", "--pid", "--pidfile"),
        reloadable=False,
        supervised=True,
    )
    proc_name = Setting(
        PROCESSES,
        kinds.text("NAME"),
        None,
        "name in the process list (with setproctitle)",
        ("-n", "--name", "--proc-name"),
        reloadable=False,
        supervised=True,
    )

    timeout = Setting(
        TIMES,
        kinds.seconds(zero=True),
        0.0,
        "how long a request may take in the application; then 504, and its worker is replaced; 0: for ever",
        ("-t",),
        supervised=True,
    )
    slow_log = Setting(
        TIMES, kinds.seconds(zero=True), 0.0, "log a request and its stack once it has taken this long; 0: never"
    )
    header_timeout = Setting(TIMES, kinds.seconds(), 10.0, "within this time a request head must be whole")
    body_timeout = Setting(TIMES, kinds.seconds(), 30.0, "longest time without progress of a request body")
    write_timeout = Setting(TIMES, kinds.seconds(), 30.0, "longest time without progress of a response")
    min_rate = Setting(
        TIMES, kinds.size(), 512, "what a slow body or response must average each second; 0: no floor"
    )
    keep_alive = Setting(
        TIMES, kinds.seconds(zero=True), 75.0, "how long an idle connection waits for its next request"
    )
    linger_timeout = Setting(
        TIMES,
        kinds.seconds(zero=True),
        2.0,
        "how long a closing connection still reads what its client sends",
        ("--lingering-timeout", "--linger-timeout"),
    )
    graceful_timeout = Setting(
        TIMES,
        kinds.seconds(zero=True),
        30.0,
        "how long a stop waits for requests to finish, then for the application's threads and exit functions",
    )

    drain_delay = Setting(
        TIMES,
        kinds.seconds(zero=True),
        0.0,
        "how long a stop goes on serving, not ready, each response ending its connection",
        supervised=True,
    )

    max_connections = Setting(
        LIMITS,
        kinds.count(1),
        10_000,
        "connections that each worker has open at most, fewer if ulimit -n is small; the longest idle make room",
        ("--max-connections", "--worker-connections"),
    )
    max_connections_per_ip = Setting(
        LIMITS,
        kinds.count(0),
        0,
        "connections that one address, of IPv6 one /64, may have open in each worker; 0: no limit",
    )
    limit_request_line = Setting(LIMITS, kinds.size(), 8190, "longest request line; 0: as the head")
    limit_request_fields = Setting(LIMITS, kinds.count(0), 100, "most fields in a request head; 0: as many as fit")
    limit_request_field_size = Setting(
        LIMITS,
        kinds.size(),
        8190,
        "longest field in a request head; 0: as the head",
        ("--limit-request-field-size", "--limit-request-field_size"),
    )
    limit_request_head = Setting(LIMITS, kinds.size(1, 64 * 1024), 64 * 1024, "longest request head")
    limit_request_body = Setting(
        LIMITS, kinds.size(0, OFFSET_MAX), 1024**3, "longest request body; 0: no limit"
    )
    spool_size = Setting(LIMITS, kinds.size(), 2 * 1024 * 1024, "longer request bodies wait in a temporary file")
    max_buffered = Setting(
        LIMITS,
        kinds.size(0, OFFSET_MAX),
        256 * 1024**2,
        "what clients make each worker hold in memory; near it, files are used and those that move least are ended; "
        "0: no limit",
    )
    max_spooled = Setting(
        LIMITS,
        kinds.size(0, OFFSET_MAX),
        10 * 1024**3,
        "size of all temporary files of the service; bodies that need more get a 503; 0: no limit",
    )
    underscore_headers = Setting(
        LIMITS,
        kinds.choice("drop", "refuse"),
        "drop",
        'a request field with "_" in its name: drop it, or refuse the request',
        ("--underscore-headers", "--header-map"),
    )

    access_logfile = Setting(LOGS, kinds.path(), None, 'file for the access log; "-" is standard output')
    access_log_format = Setting(
        LOGS,
        kinds.log_format(),
        "combined",
        "combined, json, or a format with gunicorn's atoms, such as '%(h)s %(s)s'",
        ("--access-log-format", "--access-logformat"),
    )
    error_logfile = Setting(
        LOGS, kinds.path(), "-", 'file for the error log; "-" is standard error', ("--error-logfile", "--log-file")
    )
    log_config = Setting(
        LOGS,
        kinds.log_setup(),
        None,
        "file that sets up Python's logging: INI (fileConfig), JSON or TOML (dictConfig)",
        ("--log-config", "--log-config-json"),
    )
    request_id = Setting(
        LOGS,
        kinds.choice("off", "make", "accept"),
        "off",
        "give each request an ID: always a new one, or the client's X-Request-ID where it is sound",
    )
    log_level = Setting(
        LOGS, kinds.choice("debug", "info", "warning", "error", "critical"), "info", "least level to log"
    )
    trace = Setting(LOGS, kinds.flag(), False, "print each request and response head, as curl -v does")

    def __init__(self, **values: object) -> None:
        for name in values:
            if name not in SETTINGS:
                raise SettingError(unknown(name))
        for name, setting in SETTINGS.items():
            self.__dict__[name] = setting.read(values.get(name, setting.default))
        rules.settle(self.__dict__)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"settings do not change: make a new Settings({name}=...) instead")

    def __repr__(self) -> str:
        """The values that differ from the defaults."""
        values = vars(self).items()
        changed = [f"{name}={value!r}" for name, value in values if value != SETTINGS[name].default]
        return f"Settings({', '.join(changed)})"


SETTINGS: dict[str, Setting[Any]] = {
    name: setting
    for part in (Settings, StaticSettings, StatusSettings)
    for name, setting in vars(part).items()
    if isinstance(setting, Setting)
}
"""All settings by name, in the order of the help."""


def unknown(name: str) -> str:
    """The line about a setting that does not exist."""
    meant = nearest(name, [key for setting in SETTINGS.values() for key in setting.keys])
    return f"unknown setting {name!r}" + (f"; did you mean {meant!r}?" if meant else "")
