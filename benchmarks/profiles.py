"""The load profiles: what the clients ask for, each a row of one table.

A profile names an application, the tool that makes the load, and how its requests differ from the plainest one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import apps

POST_BODY = b"x" * apps.KIB

PAGE_FIELDS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Safari/537.36",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.9,de;q=0.7",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Cache-Control": "max-age=0",
    "Connection": "keep-alive",
    "Upgrade-Insecure-Requests": "1",
}
BROWSER_FIELDS = {
    **PAGE_FIELDS,
    "Referer": "https://www.example.org/catalogue/page/3",
    "Cookie": "session=5f0c1e9ab7d84c2f8e3a6b1d90c7f254; csrf=c81e728d9d4c2f636f067f89cc14862c; theme=dark",
}


FILE = Random(1).randbytes(apps.KIB * apps.KIB)
BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
UPLOAD = (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="title"\r\n\r\nHoliday\r\n--{BOUNDARY}\r\n'
          'Content-Disposition: form-data; name="file"; filename="a.bin"\r\n'
          "Content-Type: application/octet-stream\r\n\r\n"
          ).encode() + FILE + f"\r\n--{BOUNDARY}--\r\n".encode()
CSRF_TOKEN = "c81e728d9d4c2f636f067f89cc14862c"
SESSION = "eyJvcmRlcnMiOjJ9:1xXZ3L:U04xNM5wMZJ9qKDtJxxqAWZuK4XowxFHBKls7GfiOLM"  # django_site signed it
FORM = f"csrfmiddlewaretoken={CSRF_TOKEN}&name=Jo+B%C3%A9k%C3%A9&email=jo%40example.org&number=7&remarks=soon".encode()


@dataclass(frozen=True, eq=False)
class Profile:
    """One kind of load.

    Attributes:
        app: function in apps.py, or "module:name".
        length: bytes of the right response body.
        contains: what is part of it.
        connections: how many are kept busy.
        tool: what makes the load: "load" (load.c), "wrk" or "ab".
        headers: fields sent with each request, beside Host.
        depth: requests in one write.
        varies: each request has fields of its own.
        streams: the response has no declared length.
        of_file: the response is a file, which a server can leave to the kernel.
        threads: how many a server has for the application, if it is told.
    path: what is asked for; below /static it is a file that the server sends by itself, called as its length.
    """

    name: str
    about: str
    app: str
    length: int
    contains: str = ""
    connections: int = 64
    tool: str = "load"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    depth: int = 1
    varies: bool = False
    streams: bool = False
    of_file: bool = False
    tls: bool = False
    threads: int = 1
    path: str = "/"

    @property
    def method(self) -> str:
        return "POST" if self.body else "GET"

    @property
    def is_static(self) -> bool:
        """Whether the server answers by itself, and no application is asked."""
        return self.path != "/"

    @property
    def in_framework(self) -> bool:
        """Whether its application is one of frameworks/."""
        return self.app.startswith("frameworks.")


GREETING = "Hello, World!"


def framework(name: str, about: str, module: str, length: int, **more: Any) -> Profile:
    """A profile of frameworks/: 32 connections, and four threads of servers that have some."""
    return Profile(name, about, f"frameworks.{module}:app", length, connections=32, threads=4, **more)


PLAIN = (
    Profile("hello", "GET of 13 bytes, keep-alive", "hello", 13, GREETING),
    Profile("browser", "the same with a browser's 10 header fields", "hello", 13, GREETING, headers=BROWSER_FIELDS),
    Profile("vary", "Cookie, Referer and X-Request-Id differ with every request", "hello", 13, GREETING,
            headers=PAGE_FIELDS, varies=True),
    Profile("pipeline", "16 requests in one write", "hello", 13, GREETING, depth=16),
    Profile("close", "a connection for every request, HTTP/1.1", "hello", 13, GREETING,
            headers={"Connection": "close"}, tool="wrk"),
    Profile("ab-close", "a connection for every request, HTTP/1.0, by ab", "hello", 13, GREETING, tool="ab"),
    Profile("post", "POST of 1 KiB that the application reads", "post", 4, str(len(POST_BODY)),
            headers={"Content-Type": "application/octet-stream"}, body=POST_BODY),
    Profile("body64k", "response of 64 KiB", "body64k", len(apps.BODY_64K), tool="wrk"),
    Profile("body1m", "response of 1 MiB", "body1m", len(apps.BODY_1M), tool="wrk"),
    Profile("stream", "response of 20 chunks of 1 KiB, without Content-Length", "stream",
            apps.CHUNKS * len(apps.CHUNK), streams=True, tool="wrk"),
)
TLS = (
    Profile("tls", "hello over TLS 1.3, keep-alive", "hello", 13, GREETING, tool="wrk", tls=True),
    Profile("tls-close", "a TLS 1.3 connection for every request, by a resumed session", "hello", 13, GREETING,
            tool="wrk", headers={"Connection": "close"}, tls=True),
    Profile("tls-new", "a TLS 1.3 connection for every request, by a full handshake, HTTP/1.0", "hello", 13, GREETING,
            connections=128, tool="ab", tls=True),
    Profile("tls-body1m", "response of 1 MiB over TLS 1.3", "body1m", len(apps.BODY_1M),
            tool="wrk", tls=True),
)
USED = (
    framework("flask", "Flask, a JSON answer", "flask_json", 57, contains=GREETING),
    framework("flask-template", "Flask, a page of 5 KB by Jinja", "flask_template", 5098,
              contains="Thing &amp; part 32<"),
    framework("django", "Django, a form that is posted, with session, CSRF token and middleware, without a database",
              "django_form", 1350, contains="order 3 of this session", body=FORM,
              headers={**BROWSER_FIELDS, "Content-Type": "application/x-www-form-urlencoded",
                       "Cookie": f"sessionid={SESSION}; csrftoken={CSRF_TOKEN}"}),
    framework("falcon", "Falcon, a JSON answer", "falcon_json", 63, contains=GREETING),
    framework("upload", "a form with a file of 1 MiB, parsed by Flask", "flask_upload", 22,
              contains="Holiday: 1048576 bytes", body=UPLOAD,
              headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}),
    framework("download", "a file of 1 MiB by wsgi.file_wrapper", "download", len(apps.BODY_1M), of_file=True,
              tool="wrk"),
    framework("download-django", "a file of 1 MiB by Django's FileResponse", "django_download", len(apps.BODY_1M),
              of_file=True, tool="wrk"),
)
STATIC = tuple(
    Profile(f"static{name}", f"a file of {about} that the server sends by itself", "hello", length,
            tool=tool, path=f"/static/{length}.bin")
    for name, about, length, tool in (
        ("1k", "1 KiB", apps.KIB, "load"),
        ("64k", "64 KiB", 64 * apps.KIB, "wrk"),
        ("1m", "1 MiB", apps.KIB * apps.KIB, "wrk"),
    )
)
TABLE = (*PLAIN, *TLS, *USED, *STATIC)



def static_folder() -> str:
    """The folder with the files of STATIC."""
    folder = Path(__file__).parent.parent / "build" / "benchmarks" / "static"
    folder.mkdir(parents=True, exist_ok=True)
    for profile in STATIC:
        (folder / f"{profile.length}.bin").write_bytes(b"x" * profile.length)
    return str(folder)


PROFILES = {profile.name: profile for profile in TABLE}
