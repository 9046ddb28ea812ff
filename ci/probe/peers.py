"""The servers under probe: those of the benchmarks, and some that people run though they are not fast.

Each runs with one process, as its documentation starts it. Of a server that the benchmarks have several times, one.
"""

from __future__ import annotations

from pathlib import Path

import peers as environments
from servers import TABLE, Server

REQUIREMENTS = Path(__file__).with_name("requirements-peers.txt")
EXEC = "import os, sys; os.execv(os.path.join(os.path.dirname(sys.executable), '{0}'), ['{0}', *sys.argv[1:]])"
LEFT_OUT = {"floor", "nginx", "fastwsgi-t1", "fastwsgi-t16", "fastpysgi-nodelay"}

SERVERS = {
    server.name: server
    for server in (
        *(server for server in TABLE if server.name not in LEFT_OUT),
        Server("cheroot", "cheroot", ("-m", "cheroot", "--bind", "127.0.0.1:{port}", "apps:{app}")),
        Server("uwsgi", "uWSGI",
               ("-c", EXEC.format("uwsgi"), "--http", "127.0.0.1:{port}", "--module", "apps:{app}", "--master",
                "--threads", "4", "--die-on-term", "--disable-logging")),
    )
}


def pinned() -> dict[str, str]:
    """The version of each distribution."""
    return {**environments.requirements(), **environments.requirements(REQUIREMENTS)}
