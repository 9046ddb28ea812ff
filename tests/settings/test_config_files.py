"""fastwsgi.toml and pyproject.toml: which is read, what it may say, and the lines about what it may not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fastwsgi.gunicorn.file import FileValues
from fastwsgi.mistakes import Finding, UsageError
from fastwsgi.settings import files

PROJECT_TABLE = "[tool.fastwsgi]\nkeep-alive = 5\n"


@pytest.fixture(autouse=True)
def toml_is_there() -> None:
    if sys.version_info < (3, 11):
        pytest.importorskip("tomli")


def read(directory: Path, given: str | None = None) -> FileValues:
    finding = Finding()
    found = files.read(given, str(directory), str(directory), finding)
    finding.end()
    return found


def complaint(directory: Path, given: str | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        read(directory, given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    said = read(tmp_path)
    assert (said.name, said.values, said.notices) == ("", {}, [])


def test_our_file_comes_before_the_projects(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT_TABLE)
    assert read(tmp_path).values == {"keep_alive": 5}
    assert read(tmp_path).name == "pyproject.toml"
    (tmp_path / "fastwsgi.toml").write_text("keep_alive = 6\n")
    assert read(tmp_path).values == {"keep_alive": 6}


def test_the_named_file_comes_before_both(tmp_path: Path) -> None:
    (tmp_path / "fastwsgi.toml").write_text("keep_alive = 6\n")
    (tmp_path / "other.toml").write_text("keep_alive = 7\n")
    assert read(tmp_path, "other.toml").values == {"keep_alive": 7}
    (tmp_path / "pyproject.toml").write_text(PROJECT_TABLE)
    assert read(tmp_path, str(tmp_path / "pyproject.toml")).values == {"keep_alive": 5}


def test_a_project_that_does_not_speak_of_us_is_not_even_parsed(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.other]\nthis is not TOML\n")
    assert read(tmp_path).values == {}


def test_keys_with_hyphens_lists_and_tables(tmp_path: Path) -> None:
    (tmp_path / "fastwsgi.toml").write_text(
        'app = "shop:app"\nbind = [":80", "unix:s"]\nlimit-request-body = "2G"\npreload = true\n'
        '[env]\nA = "b"\n[log-config]\nversion = 1\n'
    )
    said = read(tmp_path)
    assert said.values == {
        "app": "shop:app", "bind": [":80", "unix:s"], "limit_request_body": "2G", "preload": True,
        "env": {"A": "b"}, "log_config": {"version": 1},
    }
    assert said.keys["limit_request_body"] == "limit-request-body"


COMPLAINTS = {
    "wrokers = 2": "fastwsgi.toml: unknown setting 'wrokers'; did you mean 'workers'?",
    "accesslog = '-'": "fastwsgi.toml: unknown setting 'accesslog'; did you mean 'access_logfile'?",
    "worker_class = 'gevent'": "fastwsgi.toml: unknown setting 'worker_class'; did you mean 'threads'?",
    "zzz = 1": "fastwsgi.toml: unknown setting 'zzz'",
    "keep-alive = 1\nkeep_alive = 1": "fastwsgi.toml: keep-alive and keep_alive are the same setting; leave one out",
}


@pytest.mark.parametrize("text", COMPLAINTS)
def test_complaints(tmp_path: Path, text: str) -> None:
    (tmp_path / "fastwsgi.toml").write_text(text)
    assert complaint(tmp_path) == COMPLAINTS[text]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[tool]\nfastwsgi = 'shop:app'\n", "fastwsgi = 'shop:app' is no table"),
        ("tool = 1\nfastwsgi = 2\n", "tool = 1 is no table"),
    ],
)
def test_a_project_without_our_table(tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert complaint(tmp_path) == f"pyproject.toml: {line}; write the settings below [tool.fastwsgi]"


def test_malformed_toml(tmp_path: Path) -> None:
    (tmp_path / "fastwsgi.toml").write_text("workers = \n")
    assert complaint(tmp_path).startswith("fastwsgi.toml: Invalid value (at line 1")


def test_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "fastwsgi.toml").write_bytes(b"app = '\xff'")
    assert complaint(tmp_path) == "fastwsgi.toml is not in UTF-8"


def test_no_such_file(tmp_path: Path) -> None:
    assert complaint(tmp_path, "x.toml") == "x.toml: there is no such configuration file"
    assert complaint(tmp_path, "x" * 300) == f"{'x' * 300}: there is no such configuration file"


def test_a_python_that_cannot_read_toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tomllib", None)
    monkeypatch.setitem(sys.modules, "tomli", None)
    (tmp_path / "fastwsgi.toml").write_text("workers = 2\n")
    assert complaint(tmp_path) == "fastwsgi.toml: to read TOML takes Python 3.11, or tomli: pip install tomli"


def test_gunicorns_file_is_not_run_unasked_and_that_is_told(tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text("raise SystemExit\n")
    said = read(tmp_path)
    assert said.values == {}
    assert said.notices == ["gunicorn.conf.py is here, but was not asked for; -c gunicorn.conf.py reads it"]
