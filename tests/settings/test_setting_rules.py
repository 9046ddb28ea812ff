"""The rules between settings: they hold for every way in which settings come, and are told in the words of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import fastwsgi
from fastwsgi.application.configured import ConfiguredDeployment
from fastwsgi.mistakes import UsageError
from fastwsgi.process import single, supervisor
from fastwsgi.settings import report, rules
from fastwsgi.settings.arguments import parse
from fastwsgi.settings.settings import SettingError, Settings
from fastwsgi.settings.sources import Sources

SAME_PATHS = {"liveness_path": "/up", "readiness_path": "/up"}
ARE_THE_SAME = "are both /up; each needs a path of its own"


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    return []


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings that something was served with; nothing is."""
    seen: list[Settings] = []
    monkeypatch.setattr(single, "run", lambda app, settings, *others: seen.append(settings))
    monkeypatch.setattr(supervisor, "run", lambda deployment, *others: seen.append(deployment.settings()))
    return seen


def test_settings_that_exclude_each_other() -> None:
    with pytest.raises(SettingError, match=f"^liveness_path and readiness_path {ARE_THE_SAME}$"):
        Settings(**SAME_PATHS)
    assert Settings().liveness_path == Settings().readiness_path == ""


def test_serve_refuses_them(served: list[Settings]) -> None:
    with pytest.raises(SettingError, match=ARE_THE_SAME):
        fastwsgi.serve(app, **SAME_PATHS)
    assert served == []


ONE_LOOP = "cannot be 2: with a GIL, which this Python has, a process runs one loop; for more CPUs, have more --workers"


def test_loops_need_a_python_without_a_gil(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def told(*command: str, **environment: str) -> str:
        with pytest.raises(UsageError) as caught:
            Sources(parse(command).flags if command else {}, None, None, str(tmp_path)).read(environment)
        return str(caught.value)

    monkeypatch.setattr(rules, "HAS_GIL", True)
    assert told("--loops=2") == f"--loops {ONE_LOOP}"
    assert told(FASTWSGI_LOOPS="2") == f"FASTWSGI_LOOPS {ONE_LOOP}"
    with pytest.raises(SettingError, match=f"^loops {ONE_LOOP}$"):
        fastwsgi.serve(app, loops=2)
    assert Settings(loops=1).loops == 1
    pytest.importorskip("tomllib")
    (tmp_path / "fastwsgi.toml").write_text("loops = 2\n")
    assert told() == f"fastwsgi.toml: loops {ONE_LOOP}"
    monkeypatch.setattr(rules, "HAS_GIL", False)
    assert Settings(loops=2).loops == 2


FILES = {
    "fastwsgi.toml": "liveness-path = '/up'\nreadiness_path = '/up'\n",
    "pyproject.toml": "[tool.fastwsgi]\nliveness-path = '/up'\nreadiness_path = '/up'\n",
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_refused_that_has_them(tmp_path: Path, name: str) -> None:
    pytest.importorskip("tomllib")
    (tmp_path / name).write_text(FILES[name])
    with pytest.raises(UsageError) as caught:
        Sources({}, None, None, str(tmp_path)).read({})
    assert str(caught.value) == f"{name}: liveness-path and {name}: readiness_path {ARE_THE_SAME}"


def test_a_reload_to_them_changes_nothing(tmp_path: Path) -> None:
    pytest.importorskip("tomllib")
    file = tmp_path / "fastwsgi.toml"
    file.write_text("liveness-path = '/up'\n")
    deployment = ConfiguredDeployment(Sources({}, "shop", None, str(tmp_path)), lambda line: None)
    deployment.settings()
    file.write_text(FILES["fastwsgi.toml"])
    with pytest.raises(UsageError, match=ARE_THE_SAME):
        deployment.settings()
    assert deployment.current.settings.readiness_path == ""


def test_preload_gives_way_to_reload(served: list[Settings]) -> None:
    assert Settings(preload=True).preload
    assert not Settings(preload=True, reload=True).preload
    fastwsgi.serve(app, preload=True, reload=True)
    assert [(settings.preload, settings.reload) for settings in served] == [(False, True)]


WITHOUT_EFFECT = [
    ({"max_requests_jitter": 5}, "max_requests_jitter has no effect without --max-requests"),
    ({"max_worker_rss_jitter": "1M"}, "max_worker_rss_jitter has no effect without --max-worker-rss"),
    ({"ready_queue": 5}, "ready_queue has no effect without --readiness-path or --status-bind"),
    ({"statsd_prefix": "shop"}, "statsd_prefix has no effect without --statsd-host"),
    ({"dogstatsd_tags": "env:prod"}, "dogstatsd_tags has no effect without --statsd-host"),
    ({"forwarded_hops": 1}, "forwarded_hops has no effect without --forwarded-allow-ips"),
    ({"proxy_allow_ips": "::1"}, "proxy_allow_ips has no effect without --proxy-protocol"),
    ({"timeout": 5, "slow_log": 5}, "slow_log has no effect: it is not below the time-out of 5 s"),
    ({"bind": "[::]:80"}, "bind [::]:80 is IPv6 alone; *:80 takes IPv4, too"),
    (
        {"limit_request_line": 0},
        "limit_request_line 0: there is always a limit, here 65536, as a whole head has at most 65536 bytes",
    ),
    ({"preload": True, "reload": True}, "preload has no effect with reload, which loads the application anew"),
]


def test_a_name_needs_its_package(
    served: list[Settings], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "find_spec", lambda name: None)
    fastwsgi.serve(app, name="shop")
    assert capfd.readouterr().err == (
        "fastwsgi: name has no effect: it takes the package setproctitle (the extra title)\n"
    )


@pytest.mark.parametrize(("settings", "line"), WITHOUT_EFFECT)
def test_serve_says_what_has_no_effect(
    served: list[Settings], capfd: pytest.CaptureFixture[str], settings: dict[str, Any], line: str
) -> None:
    fastwsgi.serve(app, **settings)
    assert len(served) == 1
    assert capfd.readouterr().err == f"fastwsgi: {line}\n"


def test_what_was_not_asked_for_is_not_told(tmp_path: Path, served: list[Settings], capfd: Any) -> None:
    fastwsgi.serve(app, preload=False, reload=True, forwarded_hops=2, forwarded_allow_ips="::1")
    assert capfd.readouterr().err == ""
    (tmp_path / "g.py").write_text("")  # a default of gunicorn's names headers
    arguments = parse(["-c", "g.py", "--forwarded-allow-ips", ""])
    assert Sources(arguments.flags, None, arguments.config, str(tmp_path)).read({}).notices == []


def test_tags_named_as_secrets_are_shown_without_values() -> None:
    tags = ["env:prod", "plain", "api_token:hunter2", "DB_PASSWORD:a:b"]
    assert report.shown("dogstatsd_tags", tags) == "env:prod,plain,api_token:...,DB_PASSWORD:..."
