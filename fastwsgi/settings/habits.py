"""The options of other servers, and what they are here: a line that can be copied.

uvicorn, granian, waitress, uWSGI, hypercorn, cheroot and Flask name the address, the application and other things in
their own ways. Nothing of it is accepted, because one server would mean another thing by a name than the next; it is
answered with our words for it, with the values that were given. `translate` knows the words; a function for each front
door finds them there and writes the answer: options, keys of TOML, variables, keywords of `fastwsgi.serve`.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Mapping, Sequence

from fastwsgi.mistakes import UsageError
from fastwsgi.server.addresses import is_port, suggest_address
from fastwsgi.settings.keys import KEYS
from fastwsgi.settings.setting import PREFIX
from fastwsgi.settings.settings import SETTINGS

Pairs = list[tuple[str, str]]
"""Names, bare and with underscores, and values."""

HOSTS = {"host", "ip", "interface"}
PORTS = {"port"}
ADDRESSES = {"address", "addr", "listen", "http", "http_socket", "socket", "http11_socket", "insecure_bind"}
SOCKETS = {"uds", "unix_socket", "unix"}
MODULES = {"app", "application", "module", "wsgi", "wsgi_app"}
FILES = {"wsgi_file", "file"}
STATS = {"stats", "stats_server"}  # uWSGI's
METRICS = {"metrics": "", "metrics_address": "127.0.0.1", "metrics_port": "9090"}  # granian's, with its defaults
RENAMED = {
    "access_log": "access_logfile", "access_log_fmt": "access_log_format", "app_dir": "pythonpath",
    "blocking_threads": "threads", "buffer_size": "limit_request_head", "call": "factory", "cert": "certfile",
    "channel_timeout": "keep_alive", "chmod_socket": "socket_mode", "connection_limit": "max_connections",
    "debug": "reload", "gid": "group", "harakiri": "timeout", "http_keepalive": "keep_alive", "ident": "server_header",
    "key": "keyfile", "limit_concurrency": "max_connections", "limit_max_requests": "max_requests",
    "limit_post": "limit_request_body", "log_format": "access_log_format", "logto": "error_logfile",
    "max_request_body_size": "limit_request_body", "max_worker_lifetime": "max_worker_age", "pid_file": "pid",
    "process_name": "name", "processes": "workers", "procname": "name",
    "proxy_headers": "forwarded_allow_ips", "py_autoreload": "reload",
    "reload_on_rss": "max_worker_rss", "ssl_ca": "ca_certs", "ssl_ca_certs": "ca_certs", "ssl_cert_reqs": "cert_reqs",
    "ssl_certfile": "certfile", "ssl_certificate": "certfile", "ssl_ciphers": "ciphers", "ssl_keyfile": "keyfile",
    "timeout_graceful_shutdown": "graceful_timeout", "timeout_keep_alive": "keep_alive",
    "trusted_proxy": "forwarded_allow_ips", "uid": "user", "unix_socket_perms": "socket_mode",
    "url_path_prefix": "root_path", "url_prefix": "root_path", "verify_mode": "cert_reqs",
    "worker_reload_mercy": "graceful_timeout", "workers_kill_timeout": "graceful_timeout",
    "workers_lifetime": "max_worker_age", "working_dir": "chdir",
}  # fmt: skip
NEEDLESS = {
    "die_on_term", "enable_threads", "lazy_apps", "lifespan", "loop", "master", "need_app", "no_access_log",
    "no_debug", "no_orphans", "runtime_mode", "runtime_threads", "single_interpreter",
    "stats_http", "strict", "thunder_lock", "vacuum", "with_threads", "ws",
}  # fmt: skip
"""Left out of the answer: it is always so, or there is no such thing here."""
SWITCHES = {"access_log", "call", "debug", "metrics", "proxy_headers", *NEEDLESS} - {
    "lifespan", "loop", "runtime_mode", "runtime_threads", "ws",
}  # fmt: skip
"""Those that take no value as options."""
KNOWN = HOSTS | PORTS | ADDRESSES | SOCKETS | MODULES | FILES | STATS | NEEDLESS | {
    "fd", "callable", *RENAMED, *METRICS,
}  # fmt: skip
PARSERS = {"auto", "h11", "httptools", "1", "2"}  # values of --http in uvicorn and granian
INTERFACES = {"auto", "wsgi"}  # of --interface there, in which it is not an address
OTHER_INTERFACES = {"asgi", "asginl", "asgi2", "asgi3", "rsgi"}
SHORT = {
    "-p": ("port", "[0-9]{1,5}", "is the file for the process ID here"),
    "-b": ("address", "[0-9]{1,5}", "takes a host, too"),
    "-w": ("module", "[A-Za-z_].*:.*", "is the number of workers here"),
    "-h": ("host", r"[0-9]+(\.[0-9]+){3}|\[?[0-9a-fA-F]*:[0-9a-fA-F:]*\]?|localhost", "is the help here"),
    "-A": ("app", ".+", "is not an option here"),
    "-s": ("socket", ".*[:/.].*", "is not an option here"),
}
"""Short options that mean another thing elsewhere: its name in KNOWN, the values that show it, and what to tell."""
MOST_PROCESSES = 64  # -p with a larger number is a port


def translate(given: Pairs) -> Pairs:
    """Our names and values for those of KNOWN; "app" is the application. Raises UsageError for other interfaces."""
    answer: Pairs = []
    host = port = module = attribute = ""
    metrics: dict[str, str] = {}
    for name, value in given:
        if name == "interface" and value in OTHER_INTERFACES:
            raise UsageError(f"{value.upper()} is not spoken: serve such an application with a server that does")
        if name == "loop" and value.isdigit():  # not a name, as "uvloop" is in uvicorn and granian
            answer.append(("loops", value))
            continue
        if name in NEEDLESS or (name == "interface" and value in INTERFACES) or (name == "http" and value in PARSERS):
            continue
        if name in HOSTS:
            host = value or "0.0.0.0"
        elif name in PORTS:
            port = value or "8000"
        elif name in MODULES | FILES:
            module = _module(value)
        elif name == "callable":
            attribute = value
        elif name in METRICS:
            metrics[name] = value
        else:
            answer.append(_one(name, value))
    if metrics:
        _, *address = {**METRICS, **metrics}.values()
        answer.append(("status_bind", _join(*address)))
    if host or port:
        answer.insert(0, ("bind", _join(host or "127.0.0.1", port or "8000")))
    if module or attribute:
        app = module or "MODULE"
        answer.insert(0, ("app", f"{app}:{attribute}" if attribute and ":" not in app else app))
    return answer


def _one(name: str, value: str) -> tuple[str, str]:
    """Our setting for a name that needs no other one, and its value."""
    if name in ADDRESSES:
        return "bind", _address(value)
    if name in STATS:
        return "status_bind", _address(value)
    if name in SOCKETS:
        return "bind", f"unix:{value}"
    if name == "fd":
        return "bind", f"fd://{value}"
    if name == "proxy_headers":
        return RENAMED[name], "127.0.0.1"
    return RENAMED[name], "-" if name == "access_log" and not value else value


def _join(host: str, port: str) -> str:
    host = "0.0.0.0" if host == "*" else host
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def _address(text: str) -> str:
    """The address that *text* means in other servers."""
    text = re.sub("^https?://", "", text)
    if is_port(text):
        return suggest_address(text)
    if text.startswith("*:"):
        return f"0.0.0.0{text[1:]}"
    is_path = "/" in text and not text.startswith(("unix:", "fd://", "tcp://"))
    return f"unix:{text}" if is_path or (text.endswith(".sock") and ":" not in text) else text


def _module(value: str) -> str:
    """The module, perhaps with an attribute, that is given as one or by its file."""
    path, colon, attribute = value.partition(":")
    if path.endswith(".py") or "/" in path:
        path = re.sub(r"\.py$", "", path).strip("./").replace("/", ".")
    return f"{path}{colon}{attribute}"


def refuse_options(argv: Sequence[str], command: str = "fastwsgi", known: Collection[str] = ()) -> None:
    """Raise UsageError if there are options of others in a command line, with the whole line that is meant.

    Args:
        argv: what follows *command*.
        command: what is called.
        known: options that it has, although they are others'.
    """
    found: Pairs = []
    reasons: list[str] = []
    kept: list[str] = []
    place = 0  # of the answer in *kept*
    rest = list(argv)
    while rest:
        token = rest.pop(0)
        if token == "--":
            kept += [token, *rest]
            break
        flag = token.partition("=")[0] if token.startswith("--") else token[:2]
        look = _kept if flag in known else _long if token.startswith("--") else _short
        pair, reason = look(token, rest)
        if pair is None:
            kept.append(token)
            continue
        place = place if found else len(kept)
        found.append(pair)
        reasons += [reason] if reason not in reasons else []
    if found:
        if command == "fastwsgi" and any(name == "app" for name, _ in found) and "run" in kept:  # flask --app shop run
            kept.remove("run")
        kept[place:place] = _as_options(translate(found))
        raise UsageError(f"{_listed(reasons)}: {command} {shlex.join(kept)}")


def refuse_address(argv: Sequence[str], text: str) -> None:
    """Raise UsageError if *text*, an argument too many, is a port or an address, as Django's runserver takes it."""
    if is_port(text) or re.fullmatch(r"[\w.*-]*:[0-9]{1,5}|\[[0-9a-fA-F:]+\]:[0-9]{1,5}", text):
        place = list(argv).index(text)
        line = ["fastwsgi", *argv[:place], "--bind", _address(text), *argv[place + 1 :]]
        raise UsageError(f"an address needs --bind: {shlex.join(line)}")


def _long(token: str, rest: list[str]) -> tuple[tuple[str, str] | None, str]:
    """The name and value of a long option of others, taken from *rest* if it stands there, and what is wrong."""
    option, equals, value = token.partition("=")
    name = option[2:].replace("-", "_")
    if option == "--bind":
        value = value if equals else rest[0] if rest else ""
        if not is_port(value):
            return None, ""
        name = "address"
    elif name not in KNOWN or name in KEYS:
        return None, ""
    if not equals and rest and (_is_log(rest[0]) if name == "access_log" else _is_value(name, rest[0])):
        value = rest.pop(0)
    return (name, value), "--bind takes a host, too" if option == "--bind" else f"{option} is not an option here"


def _kept(token: str, rest: list[str]) -> tuple[None, str]:
    """An option that is not looked at."""
    return None, ""


def _is_value(name: str, word: str) -> bool:
    return name not in SWITCHES and not word.startswith("-")


def _is_log(word: str) -> bool:
    """Whether *word* behind --access-log, a switch elsewhere, is a file for it, and not the application."""
    return word == "-" or word.endswith(".log") or (word.startswith(("/", ".")) and not word.endswith(".py"))


def _short(token: str, rest: list[str]) -> tuple[tuple[str, str] | None, str]:
    """The same for a short option that means another thing elsewhere."""
    option, value = token[:2], token[2:] or (rest[0] if rest else "")
    if option not in SHORT:
        return None, ""
    name, pattern, meaning = SHORT[option]
    if not re.fullmatch(pattern, value) or (option == "-b" and not is_port(value)):
        return None, ""
    if not token[2:]:
        rest.pop(0)
    if option == "-p" and int(value) <= MOST_PROCESSES:
        name = "processes"
    return (name, value), f"{option} {meaning}"


def _as_options(answer: Pairs) -> list[str]:
    options: list[str] = []
    for name, value in answer:
        setting = SETTINGS.get(KEYS[name][0]) if name in KEYS else None
        if setting is None:
            options.append(value)
        elif isinstance(setting.default, bool):
            options.append(setting.flag)
        else:
            options += [setting.flag, value]
    return options


def _listed(reasons: list[str]) -> str:
    """The reasons in one phrase; those that an option is none are put together."""
    none = " is not an option here"
    strangers = [reason[: -len(none)] for reason in reasons if reason.endswith(none)]
    others = [reason for reason in reasons if not reason.endswith(none)]
    if len(strangers) > 1:
        others.insert(0, f"{', '.join(strangers[:-1])} and {strangers[-1]} are not options here")
    elif strangers:
        others.insert(0, f"{strangers[0]}{none}")
    return ", ".join(others)


def refuse_keys(table: Mapping[str, object], quoted: bool = True) -> None:
    """Raise UsageError if there are names of others among the keys of a file, with the keys that are meant.

    Args:
        table: what the file has.
        quoted: whether text has quotation marks there, as in TOML.
    """
    given = {key: value for key, value in table.items() if is_strange(key)}
    if given:
        meant = [(name, _toml(name, value) if quoted else value) for name, value in translate(_pairs(given))]
        answer = " and ".join(f"{name} = {value}" for name, value in meant)
        raise UsageError(f"{_no_settings(given)} here{': ' if answer else ', and not needed'}{answer}")


def _toml(name: str, value: str) -> str:
    if name in KEYS and isinstance(SETTINGS[KEYS[name][0]].default, bool):
        return "true"
    return value if re.fullmatch("[0-9]+", value) else json.dumps(value)


def refuse_keywords(values: Mapping[str, object]) -> None:
    """Raise UsageError if there are names of others among those keywords, with the call that is meant."""
    given = {key: value for key, value in values.items() if is_strange(key)}
    if given:
        meant = translate(_pairs(given))
        answer = [f"{name}={value if value.isdigit() else repr(value)}" for name, value in meant if name != "app"]
        replaced = {*given, *(name for name, _ in meant)}
        kept = [f"{name}={value!r}" for name, value in values.items() if name not in replaced]
        raise UsageError(f"{_no_settings(given)} here: fastwsgi.serve({', '.join(['app', *answer, *kept])})")


def in_variables(environment: Mapping[str, str]) -> tuple[set[str], str]:
    """The variables that are named as if they were ours, and a line that says what they mean; it is not a mistake.

    Kubernetes makes variables like FASTWSGI_PORT, with a URL in them, of the names of its services.
    """
    prefixed = {name[len(PREFIX) :].lower(): text for name, text in environment.items() if name.startswith(PREFIX)}
    given = {key: text for key, text in prefixed.items() if is_strange(key) and "://" not in text and key != "app"}
    if not given:
        return set(), ""
    names = {f"{PREFIX}{key.upper()}" for key in given}
    answer = shlex.join(f"{PREFIX}{name.upper()}={value}" for name, value in translate(_pairs(given)))
    return names, f"{_no_settings(sorted(names))}: {answer}"


def is_strange(key: str) -> bool:
    """Whether *key* is a name of others, and none of ours."""
    bare = key.replace("-", "_")
    return bare in KNOWN and bare not in KEYS and bare != "app"


def _pairs(given: Mapping[str, object]) -> Pairs:
    return [(key.replace("-", "_"), str(value)) for key, value in given.items()]


def _no_settings(names: Sequence[str] | Mapping[str, object]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last} are no settings" if most else f"{last} is no setting"
