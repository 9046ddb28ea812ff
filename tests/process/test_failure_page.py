"""The page that stands for an application which cannot be loaded."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from fastwsgi.http.forwarded import PEER
from fastwsgi.process.failure_page import failure_page, is_local
from tests.helpers.serving import HEAD, request, serving

TEXT = 'Traceback:\n  File "app.py", line 1\n    <script>alert("é \udc80")</script> & more\n'


@pytest.mark.parametrize("accepted", [[], [("Accept", "*/*")]])
def test_it_is_plain_text(build: SimpleNamespace, accepted: list[tuple[str, str]]) -> None:
    with serving(build, failure_page(TEXT)) as server:
        answer = server.ask(request(target="/shop?a=1", fields=accepted))
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
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "192.0.2.7"},
    ],
)
def test_other_machines_are_not_told_why(environ: dict[str, str]) -> None:
    for accepted in ("text/html", "*/*"):
        sent = b"".join(failure_page(TEXT)({**environ, "HTTP_ACCEPT": accepted}, lambda *head: None))
        assert b"cannot be loaded" in sent
        assert b"more" not in sent


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine_is(address: str) -> None:
    assert is_local({"REMOTE_ADDR": address})


def test_browsers_get_a_page(build: SimpleNamespace) -> None:
    with serving(build, failure_page(TEXT)) as server:
        answer = server.ask(request(fields=[("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")]))
        assert (answer.status, answer.get("Content-Type")) == (500, "text/html; charset=utf-8")
        text = answer.body.decode()
        assert "<script>" not in text
        assert "&lt;script&gt;alert(&quot;é \\udc80&quot;)&lt;/script&gt; &amp; more" in text
        assert server.ask(HEAD).status == 500
