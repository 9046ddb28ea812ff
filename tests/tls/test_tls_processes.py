"""TLS with workers in processes of their own: sessions, keys that only root may read, renewal, upgrade, stop."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.deployments import SITE, Deployment, deployed, wait_for_end
from tests.helpers.pki import Pki, TlsClient, client_hello
from tests.helpers.serving import GET, PATIENCE, Client, Ended, request

BOTH = pytest.mark.parametrize("backend", ["c", "py"])
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


class Site:
    """A deployment with certificates that can be changed.

    Args:
        settings: besides those of TLS and of two workers.
    """

    def __init__(self, directory: Path, pki: Pki, pair: tuple[str, str], backend: str, **settings: Any) -> None:
        self.directory = directory
        self.pki = pki
        self.put(pair)
        files = {"certfile": f"{directory}/c.pem", "keyfile": f"{directory}/k.pem"}
        self.running = deployed(directory, backend, SITE, workers=2, threads=1, **files, **settings)

    def put(self, pair: tuple[str, str]) -> None:
        """Replace certificate and key, one after the other, as tools do."""
        for source, name in zip(pair, ("c.pem", "k.pem")):
            shutil.copy(source, self.directory / f"new.{name}")
            os.chmod(self.directory / f"new.{name}", 0o600)
            os.replace(self.directory / f"new.{name}", self.directory / name)

    def __enter__(self) -> Site:
        self.process: Deployment = self.running.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self.running.__exit__(*exception)

    def connect(self, session: Any = None, context: ssl.SSLContext | None = None) -> TlsClient:
        """A connection."""
        context = context or self.pki.context()
        context.check_hostname = False
        return self.pki.connect(self.process.address, context, session=session)

    def ask(self, target: str) -> bytes:
        """An answer on a connection of its own."""
        with self.connect() as client:
            return client.send(request(target=target)).answer().body

    def name(self) -> str:
        """For whom the certificate of a new connection is."""
        with self.connect() as client:
            subject = client.socket.getpeercert()["subject"]
            return str(dict(pair for part in subject for pair in part)["commonName"])

    def comes(self, name: str) -> None:
        """Wait until all new connections, of both workers, have the certificate of *name*."""
        until = time.monotonic() + PATIENCE
        while {self.name() for _ in range(8)} != {name}:
            assert time.monotonic() < until, f"the certificate is not that of {name}"


@BOTH
def test_a_session_is_resumed_by_another_worker(tmp_path: Path, pki: Pki, backend: str) -> None:
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = pki.context()
        context.minimum_version = context.maximum_version = version
        with Site(tmp_path, pki, pki.pair, backend) as site:
            with site.connect(context=context) as client:
                first = client.send(request(target="/pid")).answer().body
                session = client.socket.session
            resumed_by = set()
            until = time.monotonic() + PATIENCE
            while resumed_by <= {first}:
                assert time.monotonic() < until
                with site.connect(session, context) as client:
                    assert client.socket.session_reused
                    resumed_by.add(client.send(request(target="/pid")).answer().body)
                    session = client.socket.session


@ROOT_ONLY
@BOTH
def test_a_key_that_only_root_may_read(tmp_path: Path, pki: Pki, backend: str) -> None:
    """The workers are nobody, and get the new certificate all the same; and so do their successors."""
    with Site(tmp_path, pki, pki.pair, backend, user="nobody", preload=True) as site:
        status = Path(f"/proc/{int(site.ask('/pid'))}/status").read_text()
        assert "\nUid:\t0" not in status
        assert site.name() == "localhost"
        with site.connect() as kept:
            assert kept.send(GET).answer().body == b"one"
            site.put(pki.other)
            site.comes("ignored.example")
            assert kept.send(GET).answer().body == b"one"  # no connection was lost
        with suppress(Ended):
            site.ask("/exit")
        site.process.line("another takes its place")
        site.comes("ignored.example")
        site.put(pki.rsa)
        site.process.signal(signal.SIGHUP)
        site.process.line("reload complete: listening on https://")
        site.comes("localhost")


def test_a_broken_pair_is_not_taken(tmp_path: Path, pki: Pki) -> None:
    with Site(tmp_path, pki, pki.pair, "c") as site:
        (tmp_path / "k.pem").write_text("half of a k")
        site.process.line("the certificates are not renewed, those of before go on: .* holds no private key in PEM")
        assert site.name() == "localhost"
        site.process.signal(signal.SIGHUP)
        site.process.line("the reload is given up: .* holds no private key in PEM")
        assert site.name() == "localhost"
        site.put(pki.other)
        site.process.line("the certificates are renewed")
        site.comes("ignored.example")
        assert sum("not renewed" in line for line in site.process.seen) == 1


def test_reload_upgrade_and_stop_lose_nothing(tmp_path: Path, pki: Pki) -> None:
    with Site(tmp_path, pki, pki.pair, "c") as site, Load(site) as load:
        load.more(20)
        site.process.signal(signal.SIGHUP)
        site.process.line("reload complete")
        load.more(20)
        site.process.signal(signal.SIGUSR2)
        new = int(site.process.line(r"upgrade: process (\d+) starts")[1])
        site.process.line("listening on https://")
        load.more(20)
        site.process.signal(signal.SIGTERM)
        site.process.process.wait(PATIENCE)
        load.more(20)
        load.end()
        os.kill(new, signal.SIGTERM)
        wait_for_end(new)
        assert load.lost == []


class Load:
    """A client that takes a new connection, with a handshake, for each request; as helpers/traffic.py does without."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.lost: list[str] = []
        self.done = 0
        self.ending = False
        self.thread = threading.Thread(target=self.work, daemon=True)

    def __enter__(self) -> Load:
        self.thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    def end(self) -> None:
        """Finish the request that it is at."""
        self.ending = True
        self.thread.join(PATIENCE)

    def work(self) -> None:
        context = self.site.pki.context()
        while not self.ending:
            try:
                with self.site.connect(context=context) as client:
                    answer = client.send(GET).answer()
                    assert answer.whole
                    assert answer.status == 200
            except Exception as error:
                self.lost.append(repr(error))
            self.done += 1

    def more(self, count: int) -> None:
        """Wait for *count* more requests."""
        goal, until = self.done + count, time.monotonic() + PATIENCE
        while self.done < goal:
            assert time.monotonic() < until, self.lost
            self.thread.join(0.01)


def test_a_stop_while_the_application_holds_the_only_thread(tmp_path: Path, pki: Pki) -> None:
    """The control thread accepts what waits, and the loop serves it in TLS."""
    files = {"certfile": pki.pair[0], "keyfile": pki.pair[1]}
    with deployed(tmp_path, "c", SITE, threads=1, **files) as process:
        with pki.connect(process.address) as busy:
            busy.send(request(target="/wait?1"))
            process.line("entered")
            results: list[bytes] = []
            with Client(process.address) as waiting:
                hello = client_hello(pki.context())
                waiting.send(hello)
                process.signal(signal.SIGTERM)
                results.append(busy.answer().body)
                assert waiting.more()
                assert waiting.buffer[:2] == b"\x16\x03"
            assert results == [b"one"]
        assert process.wait() == 0
