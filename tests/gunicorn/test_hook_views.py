"""What hooks see of the supervisor and of workers: gunicorn's attributes, with true values or a line that helps."""

from __future__ import annotations

import socket
import sys

import pytest

from fastwsgi.gunicorn.listeners import ListenerView
from fastwsgi.status.scoreboard import Scoreboard
from tests.helpers.gunicorn_hooks import start_response, views


def test_the_supervisor_shows_what_it_is() -> None:
    server, worker = views(timeout=30)
    assert (server.timeout, server.proc_name, server.num_workers, server.app.app_uri) == (30, "shop", 2, "shop:app")
    assert (server.master_pid, server.reexec_pid, server.LISTENERS) == (0, 7, [])
    assert server.address == [("127.0.0.1", 80), "s"]
    assert (server.app.callable, server.app.wsgi(), server.app.callable) == (None, start_response, start_response)
    with pytest.raises(AttributeError, match=r"SIGTTIN to server\.pid makes it one more"):
        server.num_workers += 1
    server.mine = worker.mine = {1}  # type: ignore[attr-defined]
    assert server.mine is worker.mine  # type: ignore[attr-defined]


def test_a_worker_shows_what_it_does() -> None:
    worker = views(timeout=30)[1]
    assert (worker.timeout, worker.ppid, worker.nr, worker.nr_conns, worker.futures) == (15, 1, 0, 0, [])
    assert worker.max_requests == sys.maxsize
    drawn = {views(max_requests=10, max_requests_jitter=2)[1].max_requests for _ in range(200)}
    assert drawn == {10, 11, 12}
    assert (hasattr(worker, "wsgi"), worker.aborted, worker.tmp.last_update()) == (False, False, 0.0)
    board = Scoreboard()
    slot = board.allocate(2)
    slot.requests, slot.busy, slot.queued, slot.connections = 8, 1, 1, 2
    slot.followers[0].requests, slot.followers[0].busy, slot.followers[0].connections = 1, 1, 3
    worker.begin(slot)
    worker.notify()
    assert (worker.nr, worker.nr_conns, len(worker.futures), worker.tmp.last_update()) == (9, 5, 3, slot.heartbeat)
    assert [one.running() for one in worker.futures] == [True, True, False]
    pool = worker.tpool
    assert (pool._work_queue.qsize(), len(pool._threads), pool._max_workers) == (1, 2, 4)
    worker.bury()
    board.close()
    assert (worker.nr, worker.nr_conns, worker.alive) == (9, 0, False)


def test_listeners_are_sockets_with_more() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        view = ListenerView(listener, "https")
        assert (str(view), view.cfg_addr, view.sock) == (f"https://127.0.0.1:{port}", ("127.0.0.1", port), listener)
        assert (view.FAMILY, view.fileno(), view.get_backlog()) == (socket.AF_INET, listener.fileno(), 0)
        with socket.create_connection(view.getsockname()):
            assert view.get_backlog() == 1


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("worker.wsgi", "worker.wsgi: the application is loaded after post_fork; worker.app.wsgi() loads it now"),
        ("worker.poller", "worker.poller: one loop serves all connections; worker.nr_conns"),
        ("worker.nonsense", "worker.nonsense: no such attribute"),
        ("server.halt", "server.halt: send a signal to server.pid: os.kill(server.pid, signal.SIGTERM)"),
        ("server.log.reopen_files()", "log.reopen_files: send a signal to the supervisor: os.kill("),
        ("worker.tmp.fileno()", "worker.tmp.fileno: the heartbeat is in shared memory, not in a file"),
        ("worker.tpool.submit(print)", "these threads run requests alone: make a ThreadPoolExecutor"),
    ],
)
def test_what_is_not_here_names_the_way(name: str, line: str) -> None:
    server, worker = views()
    with pytest.raises(AttributeError) as caught:
        eval(name, {"server": server, "worker": worker})
    assert str(caught.value).startswith(line)


def test_a_hook_may_end_its_worker() -> None:
    worker = views()[1]
    asked: list[int] = []
    worker.ask_when_ended(lambda: asked.append(1))
    worker.alive = False
    worker.alive = False
    worker.revive()
    worker.end()
    assert (asked, worker.alive) == ([1], False)
