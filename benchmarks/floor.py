"""Start the floor for an application: `python floor.py APPLICATION PORT`, as the other servers are started.

The floor (floor.c) answers with what the profile expects, made here: it knows no applications.
"""

from __future__ import annotations

import os
import sys
import tempfile

import apps
from profiles import TABLE, Profile
from programs import program

HEAD = "HTTP/1.1 200 OK\r\nServer: floor\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: text/plain\r\n"


def response(profile: Profile) -> tuple[bytes, int]:
    """The bytes of a response that the profile takes for right, and by how many writes it is sent."""
    body = profile.contains.encode().ljust(profile.length, b"x")
    if not profile.streams:
        return f"{HEAD}Content-Length: {len(body)}\r\n\r\n".encode() + body, 1
    size = profile.length // apps.CHUNKS
    chunks = [body[start:start + size] for start in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])
    return f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode() + framed, len(chunks)


def main(app: str, port: str) -> None:
    """Become the floor."""
    made, pieces = response(next((profile for profile in TABLE if profile.app == app.removeprefix("apps:")), TABLE[0]))
    with tempfile.TemporaryFile() as file:
        file.write(made)
        file.seek(0)
        os.dup2(file.fileno(), sys.stdin.fileno())
    floor = program("floor")
    os.execv(floor, [floor, port, str(pieces)])


if __name__ == "__main__":
    main(*sys.argv[1:])
