"""Settings: the table, the values they take, and the lines that refuse others."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastwsgi.settings import cpus
from fastwsgi.settings.settings import SETTINGS, SettingError, Settings

DEFAULTS = {
    "chdir": None,
    "pythonpath": [],
    "factory": False,
    "env": [],
    "root_path": "",
    "bind": ["127.0.0.1:8000"],
    "reuse_port": False,
    "socket_mode": None,
    "backlog": 2048,
    "defer_accept": True,
    "scanner": True,
    "server_header": "fastwsgi",
    "certfile": [],
    "keyfile": [],
    "ca_certs": None,
    "cert_reqs": "none",
    "ssl_min_version": "TLSv1.2",
    "ciphers": "ECDHE+AESGCM:ECDHE+CHACHA20",
    "static": [],
    "static_max_age": 60,
    "static_immutable": r"\.[0-9a-f]{12}(\.[^.]+)?$",
    "static_index": "",
    "x_sendfile": [],
    "forwarded_allow_ips": [],
    "forwarded_headers": ["x-forwarded-for", "x-forwarded-proto"],
    "forwarded_hops": 1,
    "forwarded_untrusted": "pass",
    "proxy_protocol": "off",
    "proxy_allow_ips": ["127.0.0.1", "::1", "unix"],
    "workers": 1,
    "threads": 4,
    "loops": 0,
    "max_queue": 1024,
    "max_waiting_streams": 100,
    "preload": False,
    "max_requests": 0,
    "max_requests_jitter": 0,
    "max_worker_age": 0,
    "max_worker_age_jitter": 0,
    "max_worker_rss": 0,
    "max_worker_rss_jitter": 0,
    "reload": False,
    "reload_extra_files": [],
    "user": None,
    "group": None,
    "umask": None,
    "pid": None,
    "proc_name": None,
    "timeout": 0,
    "slow_log": 0,
    "header_timeout": 10,
    "body_timeout": 30,
    "write_timeout": 30,
    "min_rate": 512,
    "keep_alive": 75,
    "linger_timeout": 2,
    "graceful_timeout": 30,
    "drain_delay": 0,
    "max_connections": 10000,
    "max_connections_per_ip": 0,
    "limit_request_line": 8190,
    "limit_request_fields": 100,
    "limit_request_field_size": 8190,
    "limit_request_head": 65536,
    "limit_request_body": 1 << 30,
    "spool_size": 2097152,
    "max_buffered": 256 << 20,
    "max_spooled": 10 << 30,
    "underscore_headers": "drop",
    "access_logfile": None,
    "access_log_format": "combined",
    "error_logfile": "-",
    "log_config": None,
    "request_id": "off",
    "log_level": "info",
    "trace": False,
    "status_bind": None,
    "status_allow": ["*"],
    "liveness_path": "",
    "readiness_path": "",
    "ready_queue": 0,
    "statsd_host": None,
    "statsd_prefix": "",
    "dogstatsd_tags": [],
}


def test_defaults() -> None:
    assert vars(Settings()) == DEFAULTS


def test_every_default_is_a_value_the_setting_takes() -> None:
    for setting in SETTINGS.values():
        assert setting.read(setting.default) == setting.default


def test_every_flag_belongs_to_one_setting() -> None:
    flags = [flag for setting in SETTINGS.values() for flag in setting.flags]
    assert len(flags) == len(set(flags))


def test_what_is_on_by_default_has_an_option_to_turn_it_off() -> None:
    assert Settings.scanner.flag == "--no-scanner"
    assert Settings.trace.flag == "--trace"


def test_gunicorns_spelling_of_the_field_size_is_accepted() -> None:
    assert Settings.limit_request_field_size.flags[1] == "--limit-request-field_size"


def test_every_setting_has_help() -> None:
    assert all(setting.help and not setting.help.endswith(".") for setting in SETTINGS.values())


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("bind", "[::1]:80", ["[::1]:80"]),
        ("bind", ("a:1", "unix:/b"), ["a:1", "unix:/b"]),
        ("pythonpath", "lib,src", ["lib", "src"]),
        ("pythonpath", ["lib,src", "more"], ["lib", "src", "more"]),
        ("bind", "a:1, b:2", ["a:1", "b:2"]),
        ("workers", "1", 1),
        ("workers", "auto", cpus.available()),
        ("threads", "1024", 1024),
        ("env", "A=b=c, d", ["A=b=c, d"]),
        ("env", {"A": "b", "C": 1}, ["A=b", "C=1"]),
        ("umask", "22", "022"),
        ("umask", "0o27", "027"),
        ("umask", 0o22, "022"),
        ("umask", "0", "000"),
        ("umask", "0777", "777"),
        ("socket_mode", "0660", "660"),
        ("user", 1000, "1000"),
        ("user", "www-data", "www-data"),
        ("log_config", {"version": 1}, {"version": 1}),
        ("chdir", Path("/srv/shop"), "/srv/shop"),
        ("root_path", "/shop/eu", "/shop/eu"),
        ("log_level", "DEBUG", "debug"),
        ("server_header", "", ""),
        ("header_timeout", "2.5", 2.5),
        ("keep_alive", 0, 0.0),
        ("limit_request_body", "2G", 2 << 30),
        ("limit_request_body", 2**63 - 1, 2**63 - 1),
        ("spool_size", "64k", 65536),
        ("min_rate", "0", 0),
        ("trace", True, True),
        ("forwarded_allow_ips", "10.0.0.0/8, unix,::1", ["10.0.0.0/8", "unix", "::1"]),
        ("forwarded_allow_ips", "", []),
        ("forwarded_allow_ips", "*", ["*"]),
        ("forwarded_headers", "X-Forwarded-For", ["x-forwarded-for"]),
        ("forwarded_headers", ["Forwarded"], ["forwarded"]),
        ("proxy_protocol", "Required", "required"),
        ("proxy_protocol", "v2", "optional"),
        ("proxy_protocol", True, "optional"),
        ("proxy_protocol", False, "off"),
    ],
)
def test_values_are_read(name: str, given: object, value: object) -> None:
    read = getattr(Settings(**{name: given}), name)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bind", []),
        ("bind", [""]),
        ("bind", 8000),
        ("forwarded_allow_ips", "proxy.example"),
        ("forwarded_allow_ips", "10.0.0.1/8"),
        ("forwarded_allow_ips", "10.0.0.1,,"),
        ("forwarded_headers", []),
        ("forwarded_headers", "x-real-ip"),
        ("forwarded_headers", "forwarded,x-forwarded-for"),
        ("forwarded_hops", 0),
        ("proxy_protocol", "v3"),
        ("proxy_protocol", None),
        ("proxy_protocol", 1),
        ("proxy_allow_ips", []),
        ("proxy_allow_ips", ""),
        ("pythonpath", "lib,,src"),
        ("workers", 0),
        ("workers", "all"),
        ("threads", 1025),
        ("env", "A"),
        ("env", "=b"),
        ("umask", "8"),
        ("umask", 0o1000),
        *(("umask", text) for text in ("", "1777", "-1", "0x1f", "0o", "77777")),
        ("socket_mode", "rw"),
        ("user", "a b"),
        ("user", -1),
        ("proc_name", ""),
        ("access_log_format", " "),
        ("workers", True),
        ("threads", "four"),
        ("chdir", ""),
        ("chdir", 7),
        ("factory", "yes"),
        ("root_path", "shop"),
        ("root_path", "/"),
        ("root_path", "/shop/"),
        ("root_path", "/a b"),
        ("root_path", "/a\r\nb"),
        ("root_path", "/a?b"),
        ("root_path", "/a\x7fb"),
        ("root_path", "//evil.example"),
        ("root_path", "/a//b"),
        ("root_path", "/../b"),
        ("root_path", "/a/."),
        ("root_path", "/a\\b"),
        ("root_path", "/\u20ac"),
        ("log_level", "loud"),
        ("backlog", 0),
        ("backlog", 2**31),
        ("backlog", 1.5),
        ("server_header", "a\r\nSet-Cookie: b"),
        ("server_header", " padded"),
        ("server_header", "caf\u00e9"),
        ("header_timeout", 0),
        ("header_timeout", -1),
        ("header_timeout", "nan"),
        ("header_timeout", "inf"),
        ("header_timeout", 10**400),
        ("header_timeout", None),
        ("keep_alive", "-0.5"),
        ("limit_request_line", -1),
        ("limit_request_line", 2**31),
        ("limit_request_body", 2**63),
        ("limit_request_body", "1T"),
        ("limit_request_body", "-1"),
        ("limit_request_body", "\u0661"),
        ("underscore_headers", "keep"),
        ("trace", 1),
    ],
)
def test_other_values_are_refused_in_one_line(name: str, value: object) -> None:
    with pytest.raises(SettingError) as caught:
        Settings(**{name: value})
    line = str(caught.value)
    assert line.startswith(f"{name}=")
    assert " must be " in line or "is no address" in line
    assert "\n" not in line
    assert caught.value.flag == SETTINGS[name].flag


def test_no_limit_is_that_of_the_head() -> None:
    found = Settings(limit_request_line="0", limit_request_field_size=0, limit_request_fields=0)
    assert (found.limit_request_line, found.limit_request_field_size) == (65536, 65536)
    assert found.limit_request_fields == 16384


@pytest.mark.parametrize(
    ("name", "meant"), [("keepalive", "keep_alive"), ("Bind", "bind"), ("limit_body", "limit_request_body")]
)
def test_unknown_name_tells_the_nearest(name: str, meant: str) -> None:
    with pytest.raises(SettingError, match=f"unknown setting '{name}'; did you mean '{meant}'"):
        Settings(**{name: 1})


def test_unknown_name_like_no_other() -> None:
    with pytest.raises(SettingError, match=r"^unknown setting 'zzz'$"):
        Settings(zzz=1)


def test_a_reload_changes_all_but_what_was_done_once() -> None:
    once = {name for name, setting in SETTINGS.items() if not setting.reloadable}
    identity = {"user", "group", "umask", "pid", "proc_name"}
    assert once == {"chdir", "preload", "reload", "reload_extra_files", *identity}


def test_settings_do_not_change() -> None:
    settings = Settings()
    with pytest.raises(AttributeError, match="do not change"):
        settings.trace = True
    assert settings.trace is False


def test_settings_share_no_list() -> None:
    Settings().bind.append("other")
    assert Settings().bind == DEFAULTS["bind"]


def test_repr_shows_what_is_not_default() -> None:
    assert repr(Settings(trace=True, backlog=5)) == "Settings(backlog=5, trace=True)"
