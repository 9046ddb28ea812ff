"""The page that stands for an application which cannot be loaded."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from fastwsgi.http.forwarded import PEER
from fastwsgi.process.failure_page import failure_page, is_local
from tests.helpers.serving import HEAD, request, serving

TEXT = 'Traceback:\n  File "app.py", line 1\n    <script>alert("é \udc80")</script> & more\n'


def at_localhost(sent: bytes) -> bytes:
    return sent.replace(b"Host: test", b"Host: localhost")


@pytest.mark.parametrize("accepted", [[], [("Accept", "*/*")]])
def test_it_is_plain_text(build: SimpleNamespace, accepted: list[tuple[str, str]]) -> None:
    with serving(build, failure_page(TEXT)) as server:
        answer = server.ask(at_localhost(request(target="/shop?a=1", fields=accepted)))
        assert answer.status == 500
        assert answer.get("Content-Type") == "text/plain; charset=utf-8"
        assert answer.get("Cache-Control") == "no-store"
        text = answer.body.decode()
        assert TEXT.replace("\udc80", "\\udc80") in text
        assert not server.errors


@pytest.mark.parametrize(
    "environ",
    [
        {"REMOTE_ADDR": "192.0.2.7"},
        {"REMOTE_ADDR": "::2"},
        {"REMOTE_ADDR": ""},
        {"REMOTE_ADDR": "127.0.0.1", PEER: "192.0.2.7"},
        {"REMOTE_ADDR": "192.0.2.7", PEER: "127.0.0.1"},
        *(
            {"REMOTE_ADDR": "127.0.0.1", f"HTTP_{name}": "192.0.2.7"}
            for name in (
                *("X_FORWARDED_FOR", "X_FORWARDED_PREFIX", "X_ORIGINAL_FORWARDED_FOR", "FORWARDED", "VIA"),
                *("X_REAL_IP", "X_CLIENT_IP", "TRUE_CLIENT_IP", "CF_CONNECTING_IP"),
            )
        ),
        *(
            {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": name}
            for name in ("", "shop.example:80", "localhost.example", "127.0.0.1.example", "192.0.2.7", "[::2]:80")
        ),
    ],
)
def test_other_machines_are_not_told_why(environ: dict[str, str]) -> None:
    for accepted in ("text/html", "*/*"):
        asked = {"HTTP_HOST": "localhost", **environ, "HTTP_ACCEPT": accepted}
        sent = b"".join(failure_page(TEXT)(asked, lambda *head: None))
        assert b"cannot be loaded" in sent
        assert b"more" not in sent


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine_is(address: str) -> None:
    assert is_local({"REMOTE_ADDR": address, "HTTP_HOST": "localhost:8000"})


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.:80", "shop.localhost:80", "127.9.9.9", "127.0.0.1:80", "[::1]:80", "[::1]"]
)
def test_so_is_who_asks_for_it(host: str) -> None:
    assert is_local({"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": host})


def test_browsers_get_a_page(build: SimpleNamespace) -> None:
    with serving(build, failure_page(TEXT)) as server:
        accepted = [("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")]
        answer = server.ask(at_localhost(request(fields=accepted)))
        assert (answer.status, answer.get("Content-Type")) == (500, "text/html; charset=utf-8")
        text = answer.body.decode()
        assert "<script>" not in text
        assert "&lt;script&gt;alert(&quot;é \\udc80&quot;)&lt;/script&gt; &amp; more" in text
        assert server.ask(HEAD).status == 500
