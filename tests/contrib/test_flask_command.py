"""`flask fastwsgi`: it finds what `flask run` finds, takes its options, reloads, and has the debugger in debug mode."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from fastwsgi import cli
from tests.helpers.processes import Process, printed_by, running
from tests.helpers.serving import Answer, request

pytest.importorskip("flask")

from flask.cli import ScriptInfo

from fastwsgi.contrib import flask as command_module

SHOP = """
from flask import Flask, current_app

def create_app(name="one"):
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: name)
    app.add_url_rule("/mode", view_func=lambda: f"{current_app.debug} {app.testing}", endpoint="mode")
    app.add_url_rule("/fail", view_func=lambda: name / 0, endpoint="fail")
    return app
"""
OF_A_BLUEPRINT = """
from flask import Blueprint

stock = Blueprint("stock", __name__)
stock.cli.command("count")(lambda: print(6 * 7))
app = create_app()
app.register_blueprint(stock)
"""
GROUP = """
from flask.cli import FlaskGroup
from shop import create_app

FlaskGroup(create_app=create_app)(["fastwsgi", "--port", "0"])
"""


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in the current directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.py").write_text(SHOP)
    return tmp_path


def told(*words: str, **variables: str) -> tuple[int, list[str]]:
    """The exit code and the lines of a flask command that ends by itself."""
    with running(["-m", "flask", *words], "py", **variables) as process:
        return process.wait(), [line for line in process.seen if line]


def answer(server: Process, target: str = "/") -> Answer:
    """What it answers to a client on this machine."""
    with server.connect() as client:
        client.send(request(target=target).replace(b"Host: test", b"Host: localhost"))
        return client.answer()


def comes(server: Process, body: bytes) -> None:
    """Wait until that is in the answer."""
    while body not in answer(server).body:
        pass


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (["--app", "shop", "fastwsgi", "-p", "0"], b"one"),
        (["--app", "shop.py:create_app('two')", "fastwsgi", "--host=127.0.0.1", "--port=0", "--workers", "2"], b"two"),
        (["fastwsgi", "-A", "shop", "-b", "127.0.0.1:0", "--without-threads"], b"one"),
    ],
)
def test_it_serves_what_flask_finds(words: list[str], body: bytes) -> None:
    with running(["-m", "flask", *words], "py") as server:
        assert answer(server).body == body
        assert answer(server, "/mode").body == b"False False"
        assert answer(server, "/fail").status == 500
        server.signal()
        assert server.wait() == 0


def test_flask_s_variables_and_a_reload(shop: Path) -> None:
    pytest.importorskip("dotenv")
    (shop / ".flaskenv").write_text("FLASK_APP=shop\nFLASK_RUN_PORT=0\nFASTWSGI_THREADS=3\n")
    with running(["-m", "flask", "fastwsgi"], "py") as server:
        assert answer(server).body == b"one"
        assert any("1 worker x 3 threads" in line for line in server.seen)
        (shop / "shop.py").write_text(SHOP.replace("one", "other"))
        server.signal(signal.SIGHUP)
        server.line("reload complete")
        assert answer(server).body == b"other"


def test_debug_mode_reloads_and_debugs(shop: Path) -> None:
    words = ["-m", "flask", "--app", "shop", "fastwsgi", "--debug", "-p", "0", "--extra-files", "notes.txt"]
    with running(words, "py", WERKZEUG_DEBUG_PIN="123-456") as server:
        assert server.line(r"Debugger PIN: (\S+)")[1] == "123-456"
        assert answer(server, "/mode").body == b"True False"
        page = answer(server, "/fail").body.decode()
        found = re.search(r'SECRET = "(\w+)"', page), re.search(r'id="frame-(\d+)"', page)
        assert all(found)
        assert "EVALEX = true" in page
        secret, frame = (one[1] for one in found if one)
        login = answer(server, f"/?__debugger__=yes&cmd=pinauth&pin=123-456&s={secret}")
        assert b'"auth": true' in login.body
        with server.connect() as client:
            cookie = (login.get("Set-Cookie") or "").partition(";")[0]
            target = f"/?__debugger__=yes&cmd=6*7&frm={frame}&s={secret}"
            client.send(request(target=target, fields=[("Cookie", cookie)]).replace(b": test", b": localhost"))
            assert b"42" in client.answer().body
        (shop / "shop.py").write_text("import shop_that_is_not_there")
        comes(server, b"shop_that_is_not_there")
        (shop / "shop.py").write_text(SHOP.replace("one", "mended"))
        comes(server, b"mended")
        (shop / "notes.txt").write_text("new")
        server.line("notes.txt has changed")
        server.line('"GET / HTTP/1.1" 200')


def test_with_several_workers_the_debugger_has_no_console() -> None:
    words = ["-m", "flask", "--app", "shop", "fastwsgi", "--debug", "-p", "0", "-w", "2"]
    with running(words, "py") as server:
        assert b"EVALEX = false" in answer(server, "/fail").body


def test_a_program_of_its_own_is_told_what_a_reload_cannot_do(shop: Path) -> None:
    (shop / "manage.py").write_text(GROUP)
    with running(["manage.py"], "py") as server:
        server.line("this program has imported the application's code")
        assert answer(server).body == b"one"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--port x", "--bind '127.0.0.1:x' has no port"),
        ("--wrokers 2", "unknown option --wrokers; did you mean --workers?"),
        ("--hots 0.0.0.0", "unknown option --hots; did you mean --host?"),
        ("--paste site.ini", "unknown option --paste"),
        ("shop:app", "flask fastwsgi takes no 'shop:app': its application is flask's"),
        ("-p 0 -b 127.0.0.1:0", "--bind is given in two ways, ours and Flask's: leave one out"),
        ("--uds x", "--uds is not an option here: flask fastwsgi --bind unix:x"),
        ("--cert adhoc", "--cert adhoc is not here"),
        ("--check --factory", "--factory is for an application that is named as MODULE:ATTR"),
        ("--check -A nothing", "Could not import 'nothing'."),
        ("--check -A shop:nothing", "Failed to find attribute 'nothing' in 'shop'."),
        ("--check -h unix:///none/x", "cannot make the socket /none/x: No such file or directory"),
    ],
)
def test_a_mistake_is_one_line(words: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.exit_code_of(lambda: command_module.run(ScriptInfo("shop"), words.split()))
    assert code == (1 if "unix" in words else 2)
    assert capsys.readouterr().err.startswith(f"fastwsgi: {line}")


@pytest.mark.parametrize(
    ("source", "code", "line"),
    [
        ("1 / 0", 1, "broken cannot be loaded: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", 3, "broken exits when it is loaded, with exit code 3"),
        ("import nothing_there", 2, "While importing 'broken', an ImportError was raised"),
    ],
)
def test_what_fails_in_the_application_has_its_traceback(shop: Path, source: str, code: int, line: str) -> None:
    (shop / "broken.py").write_text(source)
    got, lines = told("--app", "broken", "fastwsgi", "--port", "0")
    assert got == code
    assert lines[-1] == f"fastwsgi: {line}"
    assert lines[0] == "Traceback (most recent call last):"
    assert any(source in one for one in lines)


def test_the_help_and_the_commands_of_others(shop: Path) -> None:
    (shop / "shop.py").write_text(f"{SHOP}\n{OF_A_BLUEPRINT}")
    code, lines = told("fastwsgi", "--help")
    assert code == 0
    assert lines[0] == "usage: flask fastwsgi [OPTIONS]"
    assert not any("--paste" in line for line in lines)
    assert any(re.match("  fastwsgi +Serve", line) for line in told("--app", "shop", "--help")[1])
    assert told("--app", "shop", "stock", "count") == (0, ["42"])


def test_it_is_not_imported_for_other_commands_more_than_needed() -> None:
    names = "'werkzeug.debug', 'fastwsgi.backend', 'fastwsgi.process.supervisor'"
    assert printed_by(f"import sys, fastwsgi.contrib.flask; print([*{{{names}}} & {{*sys.modules}}])") == []
