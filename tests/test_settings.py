"""Settings: the table, the values they take, and the lines that refuse others."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastwsgi.config.settings import SETTINGS, SettingError, Settings

DEFAULTS = {
    "bind": ["127.0.0.1:8000"],
    "workers": 1,
    "threads": 1,
    "chdir": None,
    "pythonpath": [],
    "factory": False,
    "root_path": "",
    "access_logfile": None,
    "log_level": "info",
    "trace": False,
    "backlog": 2048,
    "server_header": "fastwsgi",
    "header_timeout": 10,
    "body_timeout": 30,
    "keep_alive": 75,
    "write_timeout": 30,
    "linger_timeout": 2,
    "min_rate": 512,
    "graceful_timeout": 30,
    "limit_request_line": 8190,
    "limit_request_fields": 100,
    "limit_request_field_size": 8190,
    "limit_request_head": 65536,
    "limit_request_body": 1 << 30,
    "spool_size": 524288,
    "underscore_headers": "drop",
    "defer_accept": True,
    "scanner": True,
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
        ("workers", "1", 1),
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
        ("pythonpath", "lib,,src"),
        ("workers", 0),
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
        ("limit_request_line", 0),
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
    assert line.startswith(f"{name}={value!r} must be ")
    assert "\n" not in line
    assert caught.value.flag == SETTINGS[name].flag


@pytest.mark.parametrize(
    ("name", "meant"), [("keepalive", "keep_alive"), ("Bind", "bind"), ("limit_body", "limit_request_body")]
)
def test_unknown_name_tells_the_nearest(name: str, meant: str) -> None:
    with pytest.raises(SettingError, match=f"unknown setting '{name}'; did you mean '{meant}'"):
        Settings(**{name: 1})


def test_unknown_name_like_no_other() -> None:
    with pytest.raises(SettingError, match=r"^unknown setting 'zzz'$"):
        Settings(zzz=1)


def test_several_workers_are_told_to_be_missing_yet() -> None:
    with pytest.raises(SettingError, match="does not have several worker processes yet"):
        Settings(workers=4)


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
