"""Requests for files below a folder with links of all kinds, in both builds: two ways to open them.

An input is a target, a line feed, and lines of fields. Whatever it asks for, the builds give the same answer, nothing
outside the folder is sent, and what is sent is a file of it, whole or the part that the answer says.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastwsgi import backend
from fastwsgi.static.media_types import TYPES
from tests.helpers.responses import Response, read_responses
from tests.helpers.serving import request
from tests.helpers.static import StaticBench, is_app

from .together import once_a_thread

SECRET = b"outside"
FILES = {
    "a.txt": b"0123456789" * 10,
    "deep/er/b.js": b"script " * 50,
    "deep/er/b.js.gz": b"zipped",
    "large": b"l" * 70000,
}
LINKS = {
    "link": "a.txt",
    "up": "..",
    "out": "../secret",
    "deep/back": "../a.txt",
    "deep/root": "..",
    "deep/er/far": "../../../secret",
    "loop": "loop",
    "absolute": "/etc/passwd",
    "proc": "/proc/self/root",
}
FIELD = re.compile(rb"[A-Za-z-]+: ?[\t \x21-\x7e]+")
LEFT_OUT = re.compile(rb"(?:host|content-length|transfer-encoding|connection|expect):", re.IGNORECASE)
PART = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


@lru_cache(None)
def folder() -> Path:
    """The folder, which threads share."""
    kept = tempfile.TemporaryDirectory()
    FOLDERS.append(kept)  # until the process ends
    root = Path(kept.name) / "files"
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    for name, target in LINKS.items():
        (root / name).symlink_to(target)
    (root.parent / "secret").write_bytes(SECRET)
    (root / ".hidden").write_bytes(SECRET)
    return root


@once_a_thread
def benches() -> tuple[StaticBench, StaticBench]:
    """It is served by each build."""
    root = folder()
    mounts = (f"/s={root}", f"/s/deep={root / 'deep'}")
    one, other = (StaticBench(backend.build(name), *mounts, index="a.txt") for name in ("c", "py"))
    return one, other


FOLDERS: list[Any] = []


def check(data: bytes) -> Any:
    """Ask both for what *data* says."""
    target, *lines = data.split(b"\n")[:8]
    kept = [line.decode() for line in lines if FIELD.fullmatch(line) and not LEFT_OUT.match(line)]
    fields = [(name, value) for name, _, value in (line.partition(":") for line in kept)]
    text = target.decode("latin-1")
    head = request("GET", text if text.startswith("/") else f"/s/{text}", fields)
    one, other = (answers(bench, head) for bench in benches())
    assert one == other, f"{one}, but the other build: {other}"
    for found in one:
        check_answer(found)
    return one


def answers(bench: StaticBench, data: bytes) -> list[Response]:
    """What is answered, read by a strict client; nothing is remembered of other inputs."""
    bench.files.forget()
    client = bench.bench.connect(data)
    found = read_responses(bytes(client.received), [], client.closed or client.finished)
    if not client.closed:
        client.end()
    del bench.bench.clients[client.fd]
    return found


def check_answer(found: Response) -> None:
    assert found.whole
    assert SECRET not in found.body
    assert b"root:" not in found.body
    if is_app(found) or found.status not in (200, 206):
        return
    assert found.field("Content-Type") in {*TYPES.values(), "application/octet-stream"}
    start, end = 0, None
    if found.status == 206:
        part = PART.fullmatch(str(found.field("Content-Range")))
        assert part is not None
        start, end = int(part[1]), int(part[2]) + 1
    assert found.body in [content[start:end] for content in FILES.values()]


def seeds() -> Iterator[bytes]:
    folder()  # before there are threads
    names = ["a.txt", "link", "up/a.txt", "out", "deep/er/b.js", "deep/back", "deep/root/a.txt", "deep/er/far", "loop"]
    names += ["absolute", "proc/etc/passwd", ".hidden", "%2e%2e/secret", "..%2fsecret", "large", "deep", "", "a%5cb"]
    names += ["deep/%2e%2e/a.txt", "a.txt%00", "a.txt/", "deep//er", "/s", "/s/", "/s/deep/er/b.js", "%61.txt"]
    fields = ["", "Range: bytes=0-4", "Range: bytes=-5", "Range: bytes=5-\nIf-Range: x", "Range: bytes=1-2,4-5"]
    fields += ["If-None-Match: *", "If-Match: x", "Accept-Encoding: gzip;q=0.5, *;q=0", "Accept-Encoding: br, gzip"]
    fields += ["If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", "Range: bytes=99999999999999999999-"]
    for number, name in enumerate(names * 2):
        yield f"{name}\n{fields[number % len(fields)]}".encode()
