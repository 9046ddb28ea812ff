"""What the supervisor asks the command for: settings read anew, hooks of now, variables that come and go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastwsgi.application.configured import ConfiguredDeployment, Variables
from fastwsgi.gunicorn.hooks import GunicornHooks, Hooks
from fastwsgi.mistakes import Mistake, UsageError
from fastwsgi.settings.sources import Sources


@pytest.fixture(autouse=True)
def environment_of_before() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


class Told(ConfiguredDeployment):
    """A deployment of g.py in a directory, and what it announced."""

    def __init__(self, directory: Path, text: str, app: str | None = "shop") -> None:
        self.file = directory / "g.py"
        self.file.write_text(text)
        self.lines: list[str] = []
        super().__init__(Sources({}, app, "g.py", str(directory)), self.lines.append)


def test_the_file_is_run_once_at_the_start_and_then_for_each_reload(tmp_path: Path) -> None:
    count = "import os\nos.environ['SHOP_RUNS'] = os.environ.get('SHOP_RUNS', '') + 'x'\n"
    told = Told(tmp_path, count)
    assert told.settings() is told.current.settings
    assert os.environ["SHOP_RUNS"] == "x"
    told.settings()
    assert os.environ["SHOP_RUNS"] == "xx"


def test_settings_and_hooks_are_read_anew(tmp_path: Path) -> None:
    told = Told(tmp_path, "workers = 2\ndef on_exit(server): pass\n")
    assert told.settings().workers == 2
    assert isinstance(told.hooks, GunicornHooks)
    told.file.write_text("workers = 3\nbind = ':1'\n")
    settings = told.settings()
    assert (settings.workers, settings.bind, type(told.hooks), told.lines) == (3, [":1"], Hooks, [])


def test_old_settings_keep_their_application(tmp_path: Path) -> None:
    told = Told(tmp_path, "wsgi_app = 'old'\n", None)
    old = told.settings()
    told.file.write_text("wsgi_app = 'new'\n")
    new = told.settings()
    assert (told.application(old), told.application(new)) == ("old", "new")


def test_what_a_reload_cannot_change_stays_and_that_is_told_once(tmp_path: Path) -> None:
    told = Told(tmp_path, "pidfile = 'a.pid'\nworkers = 2\n")
    told.settings()
    told.file.write_text("pidfile = 'b.pid'\nworkers = 3\n")
    for _ in range(2):
        settings = told.settings()
        assert (settings.pid, settings.workers) == ("a.pid", 3)
    assert told.lines == ["pid has changed; that takes a restart"]


def test_a_file_that_fails_changes_nothing(tmp_path: Path) -> None:
    told = Told(tmp_path, "workers = 2\nraw_env = ['SHOP_X=1']\ndef on_exit(server): pass\n")
    told.settings()
    hooks, current = told.hooks, told.current
    told.file.write_text("workers = nonsense\n")
    with pytest.raises(Mistake, match=r"g\.py failed: NameError"):
        told.settings()
    assert (told.hooks, told.current) == (hooks, current)
    assert os.environ["SHOP_X"] == "1"


def test_its_variables_come_and_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_Y", "before")
    told = Told(tmp_path, "raw_env = ['SHOP_X=1', 'SHOP_Y=2=3']\n")
    told.settings()
    assert (os.environ["SHOP_X"], os.environ["SHOP_Y"]) == ("1", "2=3")
    told.file.write_text("")
    told.settings()
    assert ("SHOP_X" in os.environ, os.environ["SHOP_Y"]) == (False, "before")


def test_variables_twice() -> None:
    environment: dict[str, str] = {}
    variables = Variables(environment)
    variables.set(["A=1", "A=2"])
    assert environment == {"A": "2"}
    variables.restore()
    assert environment == {}


def test_notices_are_told_once(tmp_path: Path) -> None:
    told = Told(tmp_path, "syslog_prefix = 'x'\n")
    told.settings()
    told.settings()
    assert len(told.lines) == 1
    assert told.lines[0].startswith("g.py: without effect here: syslog_prefix (")


def test_no_application(tmp_path: Path) -> None:
    told = Told(tmp_path, "", None)
    with pytest.raises(UsageError, match="say what to serve"):
        told.load(told.settings())


def test_the_directory_is_entered_when_the_supervisor_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the command was given is kept: it is given there again for an upgrade."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    told = Told(tmp_path, "chdir = 'sub'\n")
    assert os.getcwd() == str(tmp_path)
    for _ in range(2):
        told.settings()
        assert (os.getcwd(), told.directory) == (str(tmp_path / "sub"), str(tmp_path))


def test_what_names_the_application_in_an_unread_file_is_mentioned(tmp_path: Path) -> None:
    deployment = ConfiguredDeployment(Sources({}, None, None, str(tmp_path)), lambda line: None)
    (tmp_path / "gunicorn.conf.py").write_text("# wsgi_app = 1\nworkers = 1\n")
    with pytest.raises(UsageError, match=r"^say what to serve: MODULE:ATTR, such as"):
        deployment.application(deployment.current.settings)
    (tmp_path / "gunicorn.conf.py").write_text("wsgi_app = 'shop:app'\n")
    with pytest.raises(UsageError, match=r"^say what to serve: -c gunicorn\.conf\.py, where wsgi_app names it, or M"):
        deployment.application(deployment.current.settings)


def test_a_worker_for_asgi_is_named_with_an_asgi_application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "asgi_shop.py").write_text("async def app(scope, receive, send): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    told = Told(tmp_path, "worker_class = 'uvicorn.workers.UvicornWorker'\n", "asgi_shop")
    assert "only WSGI applications are served; each worker runs 4 requests at a time" in told.lines[0]
    with pytest.raises(Mistake, match=r"is an ASGI application; .*; uvicorn\.workers\.UvicornWorker is not here$"):
        told.load(told.settings())
