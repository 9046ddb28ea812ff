"""A site of each framework, served by the framework's own command, and used as a person uses it, by `requests`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import requests

from tests.helpers.processes import ADDRESS, Process, running

SITES = Path(__file__).parent / "sites"
EVIL = "<script>"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with the sites."""
    for path in SITES.glob("*.*"):
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def url(server: Process) -> str:
    """Where it listens."""
    found = server.line(f"listening on ({ADDRESS.pattern})")
    return found[1]


def test_a_blog_of_flask_s() -> None:
    pytest.importorskip("flask")
    with running(["-m", "flask", "--app", "blog", "fastwsgi", "-p", "0", "-w", "2"], "py") as server:
        base = url(server)
        with requests.Session() as client:
            account = {"name": "jane", "password": "pride"}
            assert client.post(f"{base}/register", account).url == f"{base}/login"
            assert "Wrong name" in client.post(f"{base}/login", {**account, "password": "sense"}).text
            assert client.get(f"{base}/create").url == f"{base}/login"
            assert "<nav>jane</nav>" in client.post(f"{base}/login", account).text
            page = client.post(f"{base}/create", {"title": "Émma", "body": EVIL}).text
            assert "<h2>Émma</h2><p>&lt;script&gt;</p> by jane" in page
            assert client.post(f"{base}/register", account).status_code == 500
        server.line("UNIQUE constraint failed")
        server.signal()
        assert server.wait() == 0


@pytest.mark.parametrize(
    "command", [["-m", "pyramid.scripts.pserve", "tasks.ini"], ["-m", "fastwsgi", "--paste", "tasks.ini"]]
)
def test_a_list_of_tasks_of_pyramid_s(command: list[str], folder: Path) -> None:
    pytest.importorskip("pyramid")
    pytest.importorskip("plaster_pastedeploy")
    (folder / "static").mkdir()
    (folder / "static" / "site.css").write_text("nav {}")
    with running(["-W", "ignore", *command], "py") as server:
        base = f"{url(server)}/office"
        with requests.Session() as client:
            assert client.post(f"{base}/new", {}).status_code == 400
            for name in ("write", "rewrite"):
                listed = client.post(f"{base}/new", {"name": name}).json()
            links = ["/office/close/1", "/office/close/2"]
            assert listed == {"tasks": ["write", "rewrite"], "links": links, "visits": 2}
            closed = client.post(f"{base}/close/1")
            assert closed.url == f"{base}/"
            assert closed.json()["tasks"] == ["rewrite"]
            assert client.get(f"{base}/static/site.css").text == "nav {}"
        server.signal()
        assert server.wait() == 0


def test_things_to_do_of_bottle_s() -> None:
    pytest.importorskip("bottle")
    with running(["todo.py", "0"], "py") as server:
        base = url(server)
        with requests.Session() as client:
            assert "<li>&lt;script&gt;</li>" in client.post(base, {"thing": EVIL}).text
            data = b"x" * 300_000
            sent = client.post(f"{base}/upload", files={"file": ("böse.bin", data)})
            assert sent.json() == {"name": "böse.bin", "size": len(data)}
            with client.get(f"{base}/stream", stream=True) as answer:
                assert len(list(answer.iter_lines())) == 100
        server.signal()
        assert server.wait() == 0
