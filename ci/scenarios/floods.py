"""Clients that send too much, too fast or nonsense, or leave at any moment: scenarios of ci/abuse.py."""

from __future__ import annotations

import select
import time
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Thread
from typing import Any, Callable

from ci.scenarios.running import wanted
from ci.scenarios.victim import GROWTH, abused, beside, shown
from tests.helpers.endless import CHUNKED, ENDLESS
from tests.helpers.serving import GET, Client, chunked, request


def endless(quick: bool) -> str:
    """Heads, fields, chunk extensions and trailers without end, from 8 clients each: refused at their limit."""
    with abused(threads=1, limit_request_body="128K") as (server, most), beside(server) as load:
        for name, (first, piece, status) in ENDLESS.items():
            statuses = together(8, lambda first=first, piece=piece: pour(server.address, first, piece))
            wanted(statuses == [status] * 8, f"{name}: {statuses}, not {status}")
            most.look()
        wanted(most.mib <= GROWTH, f"{most.mib:.1f} MiB")
    return f"{len(ENDLESS)} kinds, {shown(load, most)}"


def pour(address: Any, first: bytes, piece: bytes) -> int:
    """Send without end, until there is an answer: its status."""
    with Client(address) as client:
        client.send(first)
        try:
            while not select.select([client.socket], [], [], 0)[0]:
                client.send(piece)
        except OSError:
            pass  # the server has closed, and what it said is there
        return client.answer().status


def together(count: int, work: Callable[[], Any]) -> list[Any]:
    """What *count* calls of *work*, each in a thread, give."""
    with ThreadPoolExecutor(count) as pool:
        return [one.result() for one in [pool.submit(work) for _ in range(count)]]


def pipelined(quick: bool) -> str:
    """100,000 requests in one burst, from a client that reads the answers and from one that does not."""
    count = 20_000 if quick else 100_000
    return "; ".join(burst(threads, count) for threads in (1, 4))


def burst(threads: int, count: int) -> str:
    with abused(threads=threads, write_timeout=3) as (server, most):
        with beside(server) as load, Client(server.address) as reader, Client(server.address, 4096) as other:
            began = time.monotonic()
            sender = Thread(target=reader.send, args=(GET * count,), daemon=True)
            sender.start()
            mute = Thread(target=send_what_goes, args=(other, GET * 100_000), daemon=True)
            mute.start()
            for _ in range(count):
                wanted(reader.answer().body == b"hello", "each is answered")
            took = time.monotonic() - began
            most.look()
            mute.join(20)
            wanted(not mute.is_alive(), "who does not read is ended")
            most.look()
        wanted(most.mib <= GROWTH, f"{most.mib:.1f} MiB")
    return f"{threads} threads: {count} answered in {took:.1f} s, {shown(load, most)}"


def send_what_goes(client: Client, data: bytes) -> None:
    """Send *data* until the server ends it, and read nothing."""
    client.socket.settimeout(60)
    try:
        client.send(data)
        poll = select.poll()
        poll.register(client.socket, 0)
        poll.poll(60_000)
    except OSError:
        pass


def storm(quick: bool) -> str:
    """New connections as fast as two clients can make them: for one request, for none, and left by a reset."""
    until_then = time.monotonic() + (2 if quick else 10)
    last = request(fields=[("Connection", "close")])

    def come_and_go(address: Any) -> int:
        number = 0
        while time.monotonic() < until_then:
            number += 1
            with Client(address) as client:
                if number % 3 == 0:
                    client.send(last).rest()
                elif number % 3 == 1:
                    client.send(last).reset()
        return number

    with abused(threads=4) as (server, most), beside(server) as load:
        made = sum(together(2, lambda: come_and_go(server.address)))
        most.look()
        wanted(most.mib <= GROWTH, f"{most.mib:.1f} MiB")
    return f"{made} connections, {shown(load, most)}"


# Clients that leave


def leaving(quick: bool) -> str:
    """A reset, a close or a half-close behind each byte of three requests, and within the responses; garbage."""
    points = 0
    step = 3 if quick else 1
    requests = (GET, request("POST", body=b"x" * 20), CHUNKED + chunked(b"abc", b"defg"))
    with abused(threads=4, header_timeout=5) as (server, most), beside(server) as load:
        for data in requests:
            for at in range(0, len(data) + 1, step):
                for leave in (Client.reset, Client.finish, lambda client: None):
                    with Client(server.address) as client:
                        leave(client.send(data[:at]))
                        if leave is Client.finish:
                            check_end(client, 200 if at == len(data) else 400 if at else 0)
                    points += 1
        for target in ("/list", "/file", "/stream"):
            for taken in (0, 1, 100, 10_000, 1_000_000):
                with Client(server.address, 4096) as client:
                    client.send(request(target=target)).take(taken)
                    client.reset()
                points += 1
        random = Random(1)
        for _ in range(50 if quick else 500):
            with Client(server.address) as client:
                check_end(client.send(random.randbytes(random.randrange(1, 2000))).finish(), 400)
            points += 1
        most.look()
        wanted(most.mib <= GROWTH, f"{most.mib:.1f} MiB")
    return f"{points} clients, {shown(load, most)}"


def check_end(client: Client, status: int) -> None:
    """A client that has sent its last gets an answer of *status*, 0 for none; 4xx and 5xx are alike."""
    got = client.rest()
    found = int(got[9:12]) if got else 0
    wanted(found == status or (status == 400 and found in (400, 405, 414, 431, 501, 505)), f"{found}, not {status}")
