"""The formats of the access log: combined, JSON and those of atoms; both builds write the same."""

from __future__ import annotations

import calendar
import json
import os
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastwsgi import backend
from fastwsgi.observe.formats import COMBINED, basic_user, read_format
from fastwsgi.observe.waiting import WaitingLines
from fastwsgi.settings.settings import SettingError, Settings
from tests.conftest import without_compiled
from tests.helpers.access_logs import logging
from tests.helpers.memory import Bench
from tests.helpers.serving import answering, request

compiled_only = pytest.mark.skipif(without_compiled(), reason="told to run without the compiled build")


def test_json(build: SimpleNamespace, tmp_path: Path) -> None:
    fields = [("User-Agent", 'curl "8" \xe9\\'), ("Referer", "http://here/")]
    with logging(build, tmp_path, answering(b"hello"), "json") as (server, log):
        server.ask(request("POST", "/caf%C3%A9?id=1&a=%22", fields, b"xyz"))
        server.ask(b"nonsense\r\n\r\n")
        served, refused = map(json.loads, log.text())
    assert 0 <= served.pop("http.server.request.queue_time") <= served.pop("http.server.request.duration") < 60
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", served.pop("timestamp"))
    assert served == {
        "client.address": "127.0.0.1",
        "http.request.method": "POST",
        "url.scheme": "http",
        "url.path": "/caf%C3%A9",
        "url.query": "id=1&a=%22",
        "network.protocol.version": "1.1",
        "http.response.status_code": 200,
        "http.response.body.size": 5,
        "http.request.id": None,
        "http.request.header.referer": "http://here/",
        "user_agent.original": 'curl "8" \xe9\\',
        "process.pid": os.getpid(),
    }
    assert refused["http.response.status_code"] == 400
    assert refused["client.address"] == "127.0.0.1"
    for name in ("http.request.method", "url.path", "http.server.request.duration", "user_agent.original"):
        assert refused[name] is None


def app_with_environ(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    environ["REMOTE_USER"] = 'm\u20ac "x"'
    environ["thing"] = object()
    start_response("404 Not Found", [("Content-Type", "text/plain"), ("X-Out", "a\tb")])
    return [b"hello"]


@pytest.mark.parametrize(
    ("format", "wanted"),
    [
        ("%(h)s %(l)s %(m)s %(H)s %(s)s %(b)s %(B)s %%", "127.0.0.1 - GET HTTP/1.1 404 5 5 %"),
        ("%(r)s|%(U)s|%(q)s", r"GET /caf%C3%A9?a=%20 HTTP/1.1|/caf\xc3\xa9|a=%20"),
        ("%(f)s %(a)s %({Cookie}i)s", "http://here/ agent -"),
        ("%({x-out}o)s %({Content-Type}o)s %({none}o)s", r"a\x09b text/plain -"),
        ("%({REMOTE_USER}e)s %({thing}e)s %({none}e)s", r"m\x5cu20ac \x22x\x22 - -"),
        ("%(u)s", "Aladdin"),
        ("<%(T)s>", "<0>"),
        ("%({wsgi.url_scheme}e)s", "http"),
        ("%(h)s%(h)s%(m)s%(m)s", "127.0.0.1127.0.0.1GETGET"),
        ("\u00fc %(s)s", "\u00fc 404"),
    ],
)
def test_atoms(build: SimpleNamespace, tmp_path: Path, format: str, wanted: str) -> None:
    fields = [("Referer", "http://here/"), ("User-Agent", "agent"), ("Authorization", "Basic QWxhZGRpbjpvcGVu")]
    with logging(build, tmp_path, app_with_environ, format) as (server, log):
        server.ask(request(target="/caf%C3%A9?a=%20", fields=fields))
        assert log.logs.access is not None
        log.logs.access.flush()
        assert log.path.read_text("utf-8") == wanted + "\n"


def test_times_and_process(build: SimpleNamespace, tmp_path: Path) -> None:
    with logging(build, tmp_path, answering(b"hello"), "%(t)s %(M)s %(D)s %(L)s %(queue)s %(p)s") as (server, log):
        server.ask()
        (line,) = log.text()
    found = re.fullmatch(
        r"\[(\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000)\] (\d+) (\d+) (\d+\.\d{6}) (\d+\.\d{6}) <(\d+)>", line
    )
    assert found is not None, line
    stamp = calendar.timegm(time.strptime(found[1], "%d/%b/%Y:%H:%M:%S +0000"))
    assert abs(time.time() - stamp) < 60
    assert int(found[2]) == int(found[3]) // 1000
    assert int(found[3]) == round(float(found[4]) * 1e6) > 0
    assert float(found[5]) <= float(found[4])
    assert int(found[6]) == os.getpid()


@pytest.mark.parametrize(
    ("format", "complaint"),
    [
        ("%(x)s", "no atom %(x)s; there are a, B, b, D, f"),
        ("%(h)d", "'%(h)d' is no atom; write them as %(h)s, and %% for %"),
        ("100% %(h)s", "is no atom"),
        ("%({a}z)s", "no atom %({a}z)s; behind the name comes i, o or e"),
        ("%(h)s\n", "control characters"),
        ("%(h", "is no atom"),
    ],
)
def test_a_wrong_atom_is_a_mistake_of_one_line(format: str, complaint: str) -> None:
    with pytest.raises(SettingError, match=re.escape(complaint)) as found:
        Settings(access_log_format=format)
    assert "\n" not in str(found.value)
    assert str(found.value).startswith(f"access_log_format={format!r}: ")


@pytest.mark.parametrize("credentials", ["Basic !", "Basic", "Bearer abc", "Basic Og==", "Basic YWJj", "\xff"])
def test_credentials_without_a_user(credentials: str) -> None:
    assert basic_user(credentials) is None


# Both builds write the same


LATIN_1 = st.text(st.characters(max_codepoint=255), max_size=30)
ATOMS = ("%(h)s", "%(r)s", '"%(a)s"', "%(f)s", "%(U)s", "%(q)s", "%({x}i)s", "%(u)s", "%(H)s", "%(B)s", "and a literal")
TIMES = re.compile(r"\d+\.\d{6}|\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?")
ANY_FORMAT = st.lists(st.sampled_from(ATOMS), min_size=1).map(" ".join)


@settings(max_examples=60)
@given(st.one_of(st.just("combined"), st.just("json"), ANY_FORMAT), st.data())
def test_a_line_has_no_more_fields_than_its_format(format: str, data: st.DataObject) -> None:
    """Hostile values, straight into the pure twin: JSON is whole and gives them back, other lines keep their quotes."""
    waiting = WaitingLines()
    lines = backend.build("py").access.Lines(read_format(format), waiting, lambda: None)
    environ = {key: data.draw(LATIN_1) for key in lines._format.noted}
    exchange = SimpleNamespace(
        connection=SimpleNamespace(reader=SimpleNamespace(client="::1")), note=lines.note(environ), version=11,
        code=200, sent=1, started=0.0,
        queued=0.5, environ={}, service=SimpleNamespace(meter=SimpleNamespace(ended=1.0)),
    )  # fmt: skip
    lines.add(exchange)
    written = waiting.rest()
    text = written.decode("ascii")
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert all(" " <= char <= "~" for char in text[:-1])
    if format == "json":
        values = json.loads(text)
        assert values["url.query"] == environ["QUERY_STRING"]
        assert values["user_agent.original"] == environ["HTTP_USER_AGENT"]
        assert values["url.path"] == environ["RAW_URI"].partition("?")[0]
    else:
        assert text.count('"') == (COMBINED if format == "combined" else format).count('"')


@compiled_only
@settings(max_examples=60)
@given(st.one_of(st.just("combined"), st.just("json"), ANY_FORMAT), st.lists(LATIN_1, min_size=3, max_size=3))
def test_both_builds_write_the_same(format: str, values: list[str]) -> None:
    agent, referer, query = (re.sub(r"[^\t -~\xa0-\xff]|^[\t ]+|[\t ]+$", "", value) for value in values)
    fields = [("User-Agent", agent), ("Referer", referer), ("X", referer), ("Authorization", f"Basic {agent}")]
    sent = request(target="/" + re.sub(r"[^!-~]|[#?%\\]", "", query) + "?a", fields=fields)
    written = []
    for name in ("c", "py"):
        build = backend.build(name)
        waiting = WaitingLines()
        lines = build.access.Lines(read_format(format), waiting, lambda: None)
        observer = SimpleNamespace(note=lines.note, response_ended=lines.add)
        (response,) = Bench(build, answering(b"hello"), observer).connect(sent).responses()
        assert response.status == 200
        written.append(TIMES.sub("N", waiting.rest().decode("ascii")))
    assert written[0].count("\n") == 1
    assert written[0] == written[1]
