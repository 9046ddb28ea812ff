"""The load profiles: what the clients ask for, each a row of one table.

A profile names an application of apps.py, the tool that makes the load, and how its requests differ
from the plainest one. Every profile keeps CONNECTIONS connections busy.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import apps

CONNECTIONS = 64
POST_BODY = b"x" * apps.KIB  # what wrk/post.lua sends

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


@dataclass(frozen=True)
class Profile:
    """One kind of load.

    app: function in apps.py; length: bytes of the right response body; tool: "wrk" or "ab"; script:
    file in wrk/; headers: fields sent with each request, beside Host; body: request body in bytes;
    depth: requests in one write; streams: the response has no declared length; tls: by https.
    """

    name: str
    about: str
    app: str
    length: int
    tool: str = "wrk"
    script: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    depth: int = 1
    streams: bool = False
    tls: bool = False


TABLE = (
    Profile("hello", "GET of 13 bytes, keep-alive", "hello", 13),
    Profile("browser", "the same with a browser's 10 header fields", "hello", 13, headers=BROWSER_FIELDS),
    Profile("vary", "Cookie, Referer and X-Request-Id differ with every request", "hello", 13,
            script="vary.lua", headers=PAGE_FIELDS),
    Profile("pipeline", "16 requests in one write", "hello", 13, script="pipeline.lua", depth=16),
    Profile("close", "a connection for every request, HTTP/1.1", "hello", 13,
            headers={"Connection": "close"}),
    Profile("ab-close", "a connection for every request, HTTP/1.0, by ab", "hello", 13, tool="ab"),
    Profile("post", "POST of 1 KiB that the application reads", "post", len(str(len(POST_BODY))),
            script="post.lua", body=POST_BODY),
    Profile("body64k", "response of 64 KiB", "body64k", len(apps.BODY_64K)),
    Profile("body1m", "response of 1 MiB", "body1m", len(apps.BODY_1M)),
    Profile("stream", "response of 20 chunks of 1 KiB, without Content-Length", "stream",
            apps.CHUNKS * len(apps.CHUNK), streams=True),
    Profile("tls", "hello over TLS 1.3, keep-alive", "hello", 13, tls=True),
    Profile("tls-close", "a TLS 1.3 connection for every request; wrk resumes sessions", "hello", 13,
            headers={"Connection": "close"}, tls=True),
    Profile("tls-body1m", "response of 1 MiB over TLS 1.3", "body1m", len(apps.BODY_1M), tls=True),
)

PROFILES = {profile.name: profile for profile in TABLE}
