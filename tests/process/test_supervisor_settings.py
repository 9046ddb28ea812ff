"""What a supervisor and its workers make of their settings: hooks, identity, one listener for each worker."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import fastwsgi
from fastwsgi.mistakes import Mistake
from fastwsgi.process.supervisor import is_needed
from fastwsgi.settings.settings import SETTINGS, Settings
from tests.helpers.deployments import SITE, Deployment, deployed, starting
from tests.helpers.processes import ROOT
from tests.helpers.serving import PATIENCE
from tests.helpers.traffic import Load


def next_hook(server: Deployment) -> str:
    """The next hook that is called."""
    return str(server.line("^hook ([a-z_]+ [A-Za-z]+ [0-9])$")[1])


def test_hooks_are_called_in_the_order_of_a_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELL_HOOKS", "1")
    with starting(tmp_path, "py", workers=1) as server:
        assert [next_hook(server) for _ in range(6)] == [
            "nworkers_changed ServerView 2",
            "on_starting ServerView 0",
            "when_ready ServerView 0",
            "pre_fork ServerView 1",
            "post_fork ServerView 1",
            "post_worker_init WorkerView 0",
        ]
        server.signal(signal.SIGTTIN)
        assert next_hook(server) == "nworkers_changed ServerView 2"
        assert next_hook(server) == "pre_fork ServerView 1"
        server.line("post_worker_init")
        server.signal(signal.SIGHUP)
        assert next_hook(server) == "nworkers_changed ServerView 2"
        assert next_hook(server) == "on_reload ServerView 0"
        server.line("reload complete")
        server.signal()
        assert server.wait() == 0
        told = "\n".join(server.seen)  # two workers may have written into each other's lines
        assert "worker_exit ServerView 1" in told
        assert "child_exit ServerView 1" in told
        assert next(line for line in reversed(server.seen) if line) == "hook on_exit ServerView 0"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may choose a user")
def test_workers_run_as_another_user_and_group(tmp_path: Path) -> None:
    source = SITE.replace("[version]", '[b"%d %d %o" % (os.getuid(), os.getgid(), os.umask(0))]')
    who = {"user": "65534", "group": "65533", "umask": "027"}
    with deployed(tmp_path, "py", source, workers=1, preload=True, **who) as server:  # only root can read the file
        assert server.ask() == b"65534 65533 27"
        assert os.stat(f"/proc/{server.pid}").st_uid == 0


def test_the_umask_holds_in_workers(tmp_path: Path) -> None:
    source = SITE.replace("[version]", '[b"%o" % os.umask(0)]')
    with deployed(tmp_path, "py", source, workers=1, umask="027") as server:
        assert server.ask() == b"27"


def test_a_user_that_does_not_exist_is_told_at_once(tmp_path: Path) -> None:
    with starting(tmp_path, "py", workers=1, user="nobody-of-that-name") as server:
        assert server.wait() == 2
        assert server.seen[0].startswith("fastwsgi: --user nobody-of-that-name: there is no such user")


def test_variables_are_set_before_the_application_is_loaded(tmp_path: Path) -> None:
    source = SITE.replace('b"one"', 'os.environ["SHOP"].encode()')
    with deployed(tmp_path, "py", source, workers=1, env=["SHOP=open"]) as server:
        assert server.ask() == b"open"


def test_more_workers_than_there_is_room_for(tmp_path: Path) -> None:
    with starting(tmp_path, "py", workers=100_000) as server:
        assert server.wait() == 2
        assert server.seen[0].startswith("fastwsgi: --workers 100000: at most ")


def test_each_worker_may_have_a_listener_of_its_own(tmp_path: Path) -> None:
    """Its successor inherits it, with all that waits there; those of workers that are no more are closed."""
    with deployed(tmp_path, workers=3, reuse_port=True) as server:
        server.workers(3)
        with Load(server.address, kept=2, new=2) as load:
            load.more()
            server.write(SITE.replace("one", "two"))
            server.signal(signal.SIGHUP)
            server.line("reload complete")
            load.wait_for(b"two")
            load.more()
        assert load.lost == []
        server.signal(signal.SIGTTOU)
        server.line("2 workers from now on")
        while len(server.children()) > 2:
            pass
        for _ in range(30):
            server.ask()
        server.write("{'workers': 1}", "settings.py")
        server.signal(signal.SIGHUP)
        server.line("reload complete")
        for _ in range(30):
            server.ask()
        server.signal()
        assert server.wait() == 0


@pytest.mark.parametrize(
    ("settings", "needed"),
    [({}, False), ({"threads": 4}, False), ({"workers": 2}, True), ({"max_requests": 5}, True), ({"pid": "x"}, True)],
)
def test_a_supervisor_is_there_if_something_needs_it(settings: dict[str, object], needed: bool) -> None:
    assert is_needed(Settings(**settings)) is needed


# What needs no supervisor unless another setting does: these say more about that one, or about loading the application
COMPANIONS = {
    *("max_requests_jitter", "max_worker_age_jitter", "max_worker_rss_jitter", "reload_extra_files"),
    *("chdir", "env", "status_allow"),
}


def test_what_only_a_supervisor_acts_upon_says_so() -> None:
    program = "import sys, fastwsgi.process.single; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    paths = (ROOT / f"{name.replace('.', '/')}.py" for name in done.stdout.split() if name.startswith("fastwsgi."))
    alone = {path for path in paths if path.exists()}
    supervising = set((ROOT / "fastwsgi" / "process").glob("*.py")) - alone
    assert {"supervisor.py", "worker.py"} <= {path.name for path in supervising}
    only = read_settings(supervising) - read_settings(alone)
    assert {"max_requests", "pid"} <= only
    assert sorted(only - COMPANIONS - {name for name, setting in SETTINGS.items() if setting.supervised}) == []


def test_serve_in_another_thread_has_no_workers() -> None:
    caught: list[Mistake] = []

    def serve() -> None:
        try:
            fastwsgi.serve(print, "127.0.0.1:0", workers=2)
        except Mistake as mistake:
            caught.append(mistake)

    thread = threading.Thread(target=serve)
    thread.start()
    thread.join(PATIENCE)
    assert "take the main thread" in str(caught[0])


def read_settings(sources: set[Path]) -> set[str]:
    """The settings that these sources read."""
    return {name for path in sources for name in re.findall(r"settings\.(\w+)", path.read_text())} & set(SETTINGS)
