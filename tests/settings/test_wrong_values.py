"""Each setting with a value that it cannot have: a mistake of code 2, in one line that names what the user wrote.

And each setting by each of its names, as a flag, a key, a variable and a keyword.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from fastwsgi.mistakes import Mistakes, UsageError
from fastwsgi.settings import keywords
from fastwsgi.settings.arguments import parse
from fastwsgi.settings.keys import KEYS
from fastwsgi.settings.setting import PREFIX, Setting
from fastwsgi.settings.settings import SETTINGS, SettingError
from fastwsgi.settings.sources import Configuration, Sources

CANDIDATES = ("x", "-7", "a b", "\x01", "../", " ", "(", "")
"""Texts of which each setting refuses one; any path is one that could be, but for the empty one."""


def wrong(setting: Setting[Any], candidates: tuple[str, ...] = CANDIDATES) -> str | None:
    for text in candidates:
        try:
            setting.kind.read([text] if setting.kind.repeatable else text)
        except ValueError:
            return text
    return None


def read(folder: Path, *command: str, **environment: str) -> Configuration:
    flags = parse(command).flags if command else {}
    return Sources(flags, "shop", None, str(folder)).read(environment)


def complaint(folder: Path, *command: str, **environment: str) -> str:
    with pytest.raises(UsageError) as caught:
        read(folder, *command, **environment)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert "['" not in str(caught.value)
    return str(caught.value)


ALL = pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)


@ALL
def test_as_a_flag(tmp_path: Path, setting: Setting[Any]) -> None:
    if not isinstance(setting.default, bool):
        text = wrong(setting)
        assert text is not None
        assert complaint(tmp_path, f"{setting.flag}={text}").startswith(f"{setting.flag} ")


@ALL
def test_as_a_variable(tmp_path: Path, setting: Setting[Any]) -> None:
    text = "maybe" if isinstance(setting.default, bool) else wrong(setting, CANDIDATES[:-1])
    if text is not None:
        assert complaint(tmp_path, **{setting.variable: text}).startswith(f"{setting.variable} ")


@ALL
def test_as_a_key(tmp_path: Path, setting: Setting[Any]) -> None:
    if sys.version_info < (3, 11):
        pytest.importorskip("tomli")
    key = setting.name.replace("_", "-")
    (tmp_path / "fastwsgi.toml").write_text(f"{key} = [1.5]\n")
    assert complaint(tmp_path).startswith(f"fastwsgi.toml: {key} ")


@ALL
def test_as_a_keyword(setting: Setting[Any]) -> None:
    with pytest.raises(SettingError, match=f"^{setting.name}(=| says)") as caught:
        keywords.read({setting.name: object()}, print)
    assert "\n" not in str(caught.value)


@ALL
def test_each_flag_is_a_key_a_variable_and_a_keyword(tmp_path: Path, setting: Setting[Any]) -> None:
    for flag in (flag for flag in setting.flags if flag.startswith("--")):
        assert KEYS[flag[2:].replace("-", "_")][0] == setting.name
    for key, is_opposite in setting.keys.items():
        if isinstance(setting.default, bool):
            found = read(tmp_path, **{f"{PREFIX}{key.upper()}": "yes"})
            assert getattr(found.settings, setting.name) is not is_opposite
            assert found.origins[setting.name] == f"{PREFIX}{key.upper()}"
            assert found.notices == []
        if key not in keywords.OF_THE_COMMAND:
            with pytest.raises(SettingError, match=f"^{key}="):
                keywords.read({key: object()}, print)


def test_no_two_settings_have_a_name_in_common() -> None:
    names = [key for setting in SETTINGS.values() for key in setting.keys]
    assert len(names) == len(KEYS)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    if sys.version_info < (3, 11):
        pytest.importorskip("tomli")
    (tmp_path / "fastwsgi.toml").write_text("port = 80\nwrokers = 2\nthreads = 0\nliveness-path = '/a'\n")
    with pytest.raises(Mistakes) as caught:
        read(tmp_path, "--readiness-path", "/a", "--backlog", "x", PORT="y", FASTWSGI_TRACE="?")
    assert caught.value.exit_code == 2
    assert [str(one).partition(" must")[0] for one in caught.value.each] == [
        "FASTWSGI_TRACE '?'",
        'fastwsgi.toml: port is no setting here: bind = "127.0.0.1:80"',
        "fastwsgi.toml: unknown setting 'wrokers'; did you mean 'workers'?",
        "PORT 'y'",
        "fastwsgi.toml: threads 0",
        "--backlog 'x'",
        "fastwsgi.toml: liveness-path and --readiness-path are both /a; each needs a path of its own",
    ]


ODD = {
    ("--timeout", "30s"): "--timeout '30s' must be a number of seconds, 0 or more, without a unit: 30",
    ("--log-level", "warn"): "--log-level 'warn' must be debug, info, warning, error or critical; "
    "did you mean warning?",
    ("--bind", ""): "--bind '' must be filled in: it is empty",
    ("--pid", ""): "--pid '' must be a path",
    ("--pid", "a\0b"): r"--pid 'a\x00b' must be a path",
    ("--user", "a\0b"): r"--user 'a\x00b' must be a name or a number",
    ("--workers", "0"): "--workers '0' must be auto or a whole number from 1 to 2147483647",
    ("--workers", "-1"): "--workers '-1' must be auto or a whole number from 1 to 2147483647",
    ("--max-buffered", "10MB"): "--max-buffered '10MB' must be a number of bytes from 0 up, such as 10M",
    ("--max-buffered", "-1"): "--max-buffered '-1' must be a number of bytes from 0 up, such as 8190, 64K or 1G",
    ("--keep-alive", "5m"): "--keep-alive '5m' must be a number of seconds, 0 or more, without a unit: 300",
    ("--bind", ":1,:1"): "--bind :1 is given twice: leave one out",
    ("--bind", "tcp://8000"): "--bind '8000' is a port without a host: write 127.0.0.1:8000",
    ("--env", "SECRET"): "--env 'SECRET' must be NAME=VALUE",
}


@pytest.mark.parametrize("given", ODD)
def test_what_a_hand_may_write(tmp_path: Path, given: tuple[str, str]) -> None:
    assert complaint(tmp_path, *given) == ODD[given]
