"""nginx and HAProxy of the system, in front of a server under test.

    with nginx(folder, block) as front:     # block has "listen 80;", as in the README
        front.connect("127.0.0.7")          # a client with that address
        front.forwarded()                   # how many requests it has passed on, by its own log

A port is chosen by the system: the test listens, and the proxy inherits that socket. Each ends with its `with`.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.helpers.serving import PATIENCE, Client

NGINX = """
daemon off; worker_processes 1; {user} pid "{folder}/nginx.pid"; error_log "{folder}/nginx.errors";
events {{ worker_connections 512; }}
http {{
log_format forwarded '$upstream_bytes_sent|$status|$upstream_status|$request';
access_log "{folder}/nginx.log" forwarded;
{paths}
{extra}
{block}
}}
"""
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
HAPROXY = """
global
    log stdout format raw local0
    maxconn 500
    nbthread 1
defaults
    mode http
    log global
    log-format "%s|%Tc|%ST|%{{+Q}}r"
    timeout connect 5s
    timeout server 65s
    timeout client 30s
    timeout http-request 30s
    {extra}
frontend public
    bind fd@{fd}
    default_backend shop
{block}
"""


class Front:
    """A proxy that runs.

    Args:
        address: where it listens.
        log: the file of its log, a line for each request: those that begin with what `passed` matches it has passed on.
    """

    def __init__(self, address: Any, log: Path, passed: str) -> None:
        self.address = address
        self._log = log
        self._passed = re.compile(passed)

    def connect(self, source: str = "127.0.0.7") -> Client:
        """A client with the address *source*."""
        made = Client.__new__(Client)
        made.socket = socket.create_connection(self.address, PATIENCE, (source, 0))
        made.buffer, made.end = bytearray(), ""
        return made

    def lines(self) -> list[str]:
        """The log."""
        return self._log.read_text("latin-1").splitlines() if self._log.exists() else []

    def forwarded(self) -> int:
        """How many requests it has passed on, those counted twice that it has repeated."""
        found = [match for line in self.lines() if (match := self._passed.match(line))]
        return sum(1 + match.group().count(", ") for match in found)


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop it at once."""
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def listen() -> socket.socket:
    """A socket for a proxy to inherit."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    os.set_inheritable(listener.fileno(), True)
    listener.setblocking(False)
    return listener


@contextmanager
def nginx(folder: Path, block: str, extra: str = "", speaks: str = "") -> Iterator[Front]:
    """nginx with *block*, which has one "listen 80;", of which *speaks* is more, and *extra* directives for all."""
    folder.mkdir(exist_ok=True)
    with listen() as listener:
        host, port = listener.getsockname()
        paths = "".join(f'{name}_temp_path "{folder}/{name}";' for name in TEMPORARY)
        user = "" if os.geteuid() else "user root;"  # whoever may read the folder of the test
        block = block.replace("listen 80;", f"listen {host}:{port} {speaks};")
        file = folder / "nginx.conf"
        file.write_text(NGINX.format(folder=folder, paths=paths, block=block, extra=extra, user=user))
        command = ["nginx", "-p", str(folder), "-c", str(file), "-e", str(folder / "nginx.errors")]
        fd = listener.fileno()
        with (folder / "nginx.out").open("wb") as out:
            process = subprocess.Popen(
                command, pass_fds=[fd], env={**os.environ, "NGINX": f"{fd};"}, stdout=out, stderr=out
            )
        try:
            yield Front((host, port), folder / "nginx.log", r"[1-9][0-9]*(, [1-9][0-9]*)*\|")
        finally:
            end(process)


@contextmanager
def haproxy(folder: Path, block: str, extra: str = "") -> Iterator[Front]:
    """HAProxy with *block*, which has a backend "shop", and *extra* among its defaults."""
    folder.mkdir(exist_ok=True)
    with listen() as listener:
        file, log = folder / "haproxy.cfg", folder / "haproxy.log"
        file.write_text(HAPROXY.format(fd=listener.fileno(), block=block, extra=extra))
        with log.open("wb") as out:
            process = subprocess.Popen(
                ["haproxy", "-db", "-f", str(file)], pass_fds=[listener.fileno()], stdout=out, stderr=subprocess.STDOUT
            )
        try:
            yield Front(listener.getsockname(), log, r"(?!<NOSRV>)[^|]+\|[0-9]+\|")
        finally:
            end(process)
