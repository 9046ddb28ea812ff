"""PasteDeploy: `pserve` with our server, and `fastwsgi --paste`."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from fastwsgi.contrib.paste import main
from fastwsgi.contrib.paste_settings import read
from tests.helpers.processes import Process, running
from tests.helpers.serving import answering, request

pytest.importorskip("plaster_pastedeploy")
pytest.importorskip("pyramid")
SHOP = """
from pyramid.config import Configurator
from pyramid.response import Response

def index(request):
    return Response(f"{request.registry.settings['name']} {request.script_name}")

def main(general, **settings):
    with Configurator(settings=settings) as config:
        config.add_route("index", "/")
        config.add_view(index, route_name="index")
        return config.make_wsgi_app()
"""
LEAVING = SHOP + 'import atexit, os\natexit.register(os.write, 1, b"at exit\\n")\n'
INI = """
[DEFAULT]
http_port = 0

[app:main]
paste.app_factory = shop:main
name = one

[app:prefixed]
use = main
filter-with = prefix

[filter:prefix]
use = egg:PasteDeploy#prefix
prefix = /shop

[server:main]
use = egg:fastwsgi-server#main
host = 127.0.0.1
port = %(http_port)s

[server:two]
use = egg:fastwsgi-server
bind = 127.0.0.1:0
    127.0.0.1:0
workers = 2
"""
PSERVE = ["-W", "ignore", "-m", "pyramid.scripts.pserve", "site.ini"]


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in the current directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "site.ini").write_text(INI)
    return tmp_path


def body(server: Process, target: str = "/") -> bytes:
    """What it answers."""
    with server.connect() as client:
        return client.send(request(target=target)).answer().body


def change(server: Process, file: Path, text: str) -> None:
    """Write *text* until hupper notices, which does not know yet what was there when it began to serve."""
    while True:
        file.write_text(text)
        try:
            server.line("changed; reloading", 2.0)
        except AssertionError:
            continue
        return


def test_pserve_with_one_process() -> None:
    with running([*PSERVE, "-n", "prefixed"], "py") as server:
        assert body(server, "/shop/") == b"one /shop"
        server.signal(signal.SIGHUP)
        server.line("SIGHUP reloads nothing in a single process: restart pserve")
        server.signal()
        assert server.wait() == 0


def test_pserve_with_workers_and_an_upgrade(site: Path) -> None:
    (site / "shop.py").write_text(LEAVING)
    with running([*PSERVE, "--server-name", "two"], "py") as server:
        assert body(server) == b"one "
        server.signal(signal.SIGHUP)
        server.line("the reload is given up: pserve loads the application and the file once; SIGUSR2 or a restart")
        (site / "site.ini").write_text(INI.replace("name = one", "name = two"))
        server.signal(signal.SIGUSR2)
        successor = int(server.line(r"upgrade: process (\d+) starts")[1])
        server.line(f"pid {successor}.*listening on")
        server.signal()
        server.line("stopped")
        assert server.seen.count("at exit") == 2
        assert body(server) == b"two "
        os.kill(successor, signal.SIGTERM)
        server.line("stopped")


def test_pserve_reloads_when_a_file_changes(site: Path) -> None:
    with running([*PSERVE, "--reload"], "py") as server:
        assert body(server) == b"one "
        server.elsewhere()
        change(server, site / "site.ini", INI.replace("name = one", "name = two"))
        assert body(server) == b"two "
        server.signal()
        server.line("stopped")
        server.wait()  # hupper kills what takes more than a second to end, even behind that line


def test_the_command_loads_it_anew_at_a_reload(site: Path) -> None:
    with running(["-m", "fastwsgi", "--paste", "site.ini", "--workers", "2"], "py") as server:
        assert body(server) == b"one "
        (site / "site.ini").write_text(INI.replace("name = one", "name = two"))
        server.signal(signal.SIGHUP)
        server.line("reload complete")
        assert body(server) == b"two "
        server.signal()
        assert server.wait() == 0


@pytest.mark.parametrize(
    ("section", "code", "line"),
    [
        ({"worker": "2"}, 2, "site.ini [server]: unknown setting 'worker'; did you mean 'workers'?"),
        ({"workers": "many"}, 2, "site.ini [server]: workers 'many' must be auto or a whole number from 1"),
        ({"preload": "maybe"}, 2, "site.ini [server]: preload 'maybe' must be 1, true, yes or on"),
        ({"unix_socket": "/x"}, 2, "site.ini [server]: unix_socket is no setting here: bind = unix:/x"),
        ({"certfile": "/none.pem"}, 2, "site.ini [server]: certfile /none.pem: No such file or directory"),
        ({"reload": "true"}, 2, "site.ini [server]: reload is not for pserve: pserve --reload watches the files"),
        ({"pythonpath": "/x"}, 2, "site.ini [server]: pythonpath comes too late: the application is loaded already"),
        ({"host": "nothing.invalid"}, 1, "cannot find the host 'nothing.invalid'"),
        ({"bind": ":1", "port": "2"}, 2, "site.ini [server]: port is a part of bind: leave one out"),
        ({"app": "shop"}, 2, "site.ini [server]: app is another section of the file"),
        ({"keyfile": "x"}, 2, "site.ini [server]: keyfile"),
    ],
)
def test_a_mistake_in_the_section_is_one_line(
    section: dict[str, str], code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(answering(), {"__file__": "/etc/site.ini"}, **section)
    assert ended.value.code == code
    error = capsys.readouterr().err
    assert error.startswith(f"fastwsgi: {line}")
    assert error.count("\n") == 1


def test_pserve_ends_with_its_exit_code(site: Path) -> None:
    with (site / "site.ini").open("a") as file:
        file.write("thread = 2\n")
    with running([*PSERVE, "-q", "--server-name", "two"], "py") as server:
        assert server.wait() == 2
        line = "fastwsgi: site.ini [server]: unknown setting 'thread'; did you mean 'threads'?"
        assert server.seen[-1] == line


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--paste none.ini", "--paste none.ini: there is no such file"),
        ("--paste site.ini#none", "site.ini#none: No section 'none'"),
        ("--paste site.ini shop:app", "shop:app and --paste site.ini are two applications: leave one out"),
        ("--paste broken.ini", "--paste "),
    ],
)
def test_a_mistake_of_the_command_is_one_line(site: Path, words: str, line: str) -> None:
    (site / "broken.ini").write_text("no section")
    with running(["-m", "fastwsgi", *words.split()], "py") as server:
        assert server.wait() != 0
        assert [one for one in server.seen if one][-1].startswith(f"fastwsgi: {line}")


def test_lists_as_paste_users_write_them() -> None:
    section = {
        "bind": "a:1 b:2,\n c:3",
        "forwarded-allow-ips": "10.0.0.0/8 127.0.0.1",
        "certfile": "a b.pem\nc.pem",
        "static": "/a=/srv/the shop, /b=/srv/b",
        "no_scanner": "on",
        "env": "A='x y' B=2",
    }
    values = {name: given.value for name, given in read(section, "/etc/site.ini").items()}
    assert values == {
        "bind": ["a:1", "b:2", "c:3"],
        "forwarded_allow_ips": "10.0.0.0/8,127.0.0.1",
        "certfile": ["a b.pem", "c.pem"],
        "static": ["/a=/srv/the shop", "/b=/srv/b"],
        "scanner": False,
        "env": ["A=x y", "B=2"],
    }
