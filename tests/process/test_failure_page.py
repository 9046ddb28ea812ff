"""The page that stands for an application which cannot be loaded."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from fastwsgi.process.failure_page import failure_page
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


def test_browsers_get_a_page(build: SimpleNamespace) -> None:
    with serving(build, failure_page(TEXT)) as server:
        answer = server.ask(request(fields=[("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")]))
        assert (answer.status, answer.get("Content-Type")) == (500, "text/html; charset=utf-8")
        text = answer.body.decode()
        assert "<script>" not in text
        assert "&lt;script&gt;alert(&quot;é \\udc80&quot;)&lt;/script&gt; &amp; more" in text
        assert server.ask(HEAD).status == 500
