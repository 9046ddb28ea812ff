"""SIGHUP: new settings and new code, worker by worker, with nothing lost and nothing changed if they cannot start."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.helpers.deployments import SITE, Deployment, deployed
from tests.helpers.serving import GET, Ended, request
from tests.helpers.traffic import Load


def site(version: str) -> str:
    """SITE, answering with *version*."""
    return SITE.replace('b"one"', repr(version.encode()))


def reload(server: Deployment, source: str = "") -> None:
    """Wait for a reload, into new code if given."""
    if source:
        server.write(source)
    server.signal(signal.SIGHUP)
    server.line("reload complete")


def test_nothing_is_lost_under_load(tmp_path: Path) -> None:
    with deployed(tmp_path, workers=2) as server:
        server.workers(2)
        with Load(server.address, kept=3, new=2) as load:
            load.more()
            for version in ("two", "three", "four"):
                reload(server, site(version))
                load.wait_for(version.encode())
                load.more()
        assert load.lost == []
        assert set(load.answers) == {b"one", b"two", b"three", b"four"}
        server.comes(b"four")
        server.workers(2)
        server.signal()
        assert server.wait() == 0


@pytest.mark.parametrize("broken", ["def app(:\n", "import os; os._exit(9)", "raise SystemExit(3)"])
def test_code_that_cannot_start_changes_nothing(tmp_path: Path, broken: str) -> None:
    with deployed(tmp_path, workers=2) as server:
        before = server.workers(2)
        server.write(broken)
        with Load(server.address, kept=2, new=1) as load:
            server.signal(signal.SIGHUP)
            server.line("the reload is given up, the old workers go on")
            load.more()
        assert load.lost == []
        assert set(load.answers) == {b"one"}
        assert server.workers(2) == before
        assert any("SyntaxError" in line for line in server.seen) == ("def" in broken)
        reload(server, site("two"))
        server.comes(b"two")
        assert not server.workers(2) & before


def test_settings_that_cannot_be_read_change_nothing(tmp_path: Path) -> None:
    with deployed(tmp_path, "py", workers=1) as server:
        before = server.workers(1)
        server.write("{", "settings.py")
        server.signal(signal.SIGHUP)
        server.line("the reload is given up: .*settings.py cannot be read")
        assert server.workers(1) == before


def test_workers_and_addresses_change(tmp_path: Path) -> None:
    """The new address serves, the old one is closed, an address that stays keeps its socket."""
    path = str(tmp_path / "sock")
    with deployed(tmp_path, "py", workers=1) as server:
        server.write(f"{{'workers': 2, 'bind': ['127.0.0.1:0', 'unix:{path}']}}", "settings.py")
        reload(server)
        server.workers(2)
        assert server.ask(address=path) == b"one"
        server.write(f"{{'bind': ['unix:{path}']}}", "settings.py")
        reload(server)
        assert server.ask(address=path) == b"one"
        while server.accepts():
            pass  # the old worker is just about to retire
        server.signal()
        assert server.wait() == 0
    assert not os.path.exists(path)


def test_the_supervisor_logs_as_the_new_settings_say(tmp_path: Path) -> None:
    """Here, from the level on at which it tells of the scoreboard."""
    with deployed(tmp_path, "py", workers=1) as server:
        server.write("{'log_level': 'debug'}", "settings.py")
        reload(server)
        server.line(r"DEBUG worker [0-9]+ ready, generation 1, for [0-9]+ s: [0-9]+ requests")


def test_new_addresses_are_given_back_if_the_code_cannot_start(tmp_path: Path) -> None:
    path = str(tmp_path / "sock")
    with deployed(tmp_path, "py", workers=1) as server:
        server.write("import os; os._exit(9)")
        server.write(f"{{'bind': ['127.0.0.1:0', 'unix:{path}']}}", "settings.py")
        server.signal(signal.SIGHUP)
        server.line("the reload is given up, the old workers go on")
        assert not os.path.exists(path)
        assert server.ask() == b"one"


def test_an_address_that_is_taken_changes_nothing(tmp_path: Path) -> None:
    with deployed(tmp_path, "py", workers=1) as other, deployed(tmp_path, "py", workers=1) as server:
        before = server.workers(1)
        server.write(f"{{'bind': ['127.0.0.1:0', '127.0.0.1:{other.address[1]}']}}", "settings.py")
        server.signal(signal.SIGHUP)
        server.line("the reload is given up: .* is taken")
        assert server.workers(1) == before


def test_an_idle_connection_may_ask_once_more(tmp_path: Path) -> None:
    """A request that crosses the end of its worker is answered, and told that it was the last."""
    with deployed(tmp_path, workers=1) as server:
        with server.connect() as client:
            assert client.send(GET).answer().body == b"one"
            reload(server, site("two"))
            server.comes(b"two")  # the old worker knows by now
            answer = client.send(GET).answer()
            assert (answer.body, answer.get("Connection")) == (b"one", "close")
            assert (client.rest(), client.end) == (b"", "closed")


def test_a_reload_during_a_reload_comes_after_it(tmp_path: Path) -> None:
    slow = site("two").replace("version =", 'print("importing", flush=True)\nsignal.sigtimedwait([], 0.1)\nversion =')
    with deployed(tmp_path, "py", slow.replace("two", "one"), workers=1) as server:
        server.write(slow)
        server.signal(signal.SIGHUP)
        server.line("importing")
        server.write(site("three"))
        server.signal(signal.SIGHUP)
        server.line("reload complete")
        server.line("reload complete")
        server.comes(b"three")


def test_a_worker_that_dies_during_a_reload_is_replaced(tmp_path: Path) -> None:
    with deployed(tmp_path, "py", workers=2) as server:
        victim = min(server.workers(2))
        server.write(site("two").replace("version =", "signal.sigtimedwait([], 0.1)\nversion ="))
        server.signal(signal.SIGHUP)
        server.line(r"\breload$")
        os.kill(victim, signal.SIGKILL)
        server.line("reload complete")
        server.workers(2)
        server.comes(b"two")


def test_a_request_that_does_not_end_does_not_hold_the_reload_up(tmp_path: Path) -> None:
    with deployed(tmp_path, "py", workers=1, graceful_timeout=0.3) as server:
        with server.connect() as client:
            client.send(request(target="/wait?30"))
            server.line("entered")
            reload(server, site("two"))
            server.comes(b"two")
            server.line("has not ended in time: killed")
            with pytest.raises(Ended):
                client.answer()


def test_preloaded_code_stays_and_the_log_says_so(tmp_path: Path) -> None:
    with deployed(tmp_path, "py", workers=1, preload=True) as server:
        server.write(site("two"))
        server.signal(signal.SIGHUP)
        server.line("SIGHUP renews the settings, SIGUSR2 the code, too")
        server.line("reload complete")
        assert server.ask() == b"one"
