"""The page as the server renders it: what it shows, that nothing of it can be misread as HTML, and its bounds."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from html.parser import HTMLParser

import pytest

from fastwsgi.status.page import LONGEST_REFRESH, POLICY, STYLE, render
from fastwsgi.status.snapshot import Certificate, Event, ListenQueue, Told
from tests.helpers import status_scenes
from tests.helpers.snapshots import AT, histogram, history, later, running, snapshot, worker

HOSTILE = (
    "</td><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "/\u202egnp.exe\u2066\u200b",
    "/\x00\x1b[31m\r\n\x7f\x85",
    "/&lt;&#60;",
    "/\ud800",
)
VOID = {"meta", "link", "br", "img", "input"}


class Document(HTMLParser):
    """Reads a page: its text, elements and attributes, and whether every element ends where it should."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style", "title"):
            self.text += data + " "

    def names(self, attribute: str) -> list[str]:
        """All values of an *attribute*."""
        return [str(its[attribute]) for _, its in self.elements if attribute in its]


@pytest.mark.parametrize("scene", status_scenes.SCENES)
def test_each_scene_is_sound_html(scene: str) -> None:
    page = Document(render(*status_scenes.SCENES[scene]()))
    names = page.names("id")
    assert len(names) == len(set(names))
    assert page.names("style") == []
    assert [its for _, its in page.elements if any(name.startswith("on") for name in its)] == []
    once = ("style", "main", "h1", "script")
    assert [tag for tag, _ in page.elements if tag in once] == list(once)


def test_an_empty_service_has_a_page() -> None:
    nothing = snapshot(workers=[], listeners=[], durations={})
    assert "no worker" in Document(render(nothing, history())).text
    assert "0 of 2 workers ready" in Document(render(nothing, history(nothing))).text


def test_all_that_was_told_is_shown() -> None:
    told = Told(
        name="shop:app", urls=["http://127.0.0.1:8000"], settings={"--threads": "4"}, reload_failure="no module shop",
        events=[Event(AT, "timeout", True, "gave up", 1, 71, "File shop.py"), Event(AT, "start", False, "began")],
    )  # fmt: skip
    now = snapshot(
        told=told, running=[running("/slow", 3.25, request_id="abc-1", thread=815)], refused={"431": 7, "none": 3},
        refused_peers={"192.0.2.7": 5}, certificates=[Certificate("shop.example", AT + 3.5 * 86400)],
        listeners=[ListenQueue("unix:/run/shop", 12, 128)], timeouts={"head": 9, "body": 0},
    )  # fmt: skip
    text = re.sub(r"\s+", " ", Document(render(now, history())).text)
    for part in (
        "reload failed", "no module shop", "certificate : shop.example ends in 3 days", "shop:app", "--threads 4",
        "http://127.0.0.1:8000", "3.2 s GET /slow 0 7100 815 abc-1", "431 Request Header Fields Too Large 7",
        "closed without an answer 3", "192.0.2.7 5", "timeouts: head 9", "File shop.py", "of 128, at unix:/run/shop",
        "fastwsgi 0.1.0 (compiled)", "Python 3.11.2",
    ):  # fmt: skip
        assert part in text
    assert "timeouts: body" not in text
    assert text.index("gave up") > text.index("began"), "the newest event first"


def test_bounds_and_what_is_beside_the_threads_of_ready_workers() -> None:
    before = snapshot()
    durations = {"2xx": histogram(0.001, many=98), "5xx": histogram(20.0, many=2)}
    workers = [worker(0, streams_waiting=3), worker(1, state="retiring", threads_busy=1)]
    now = later(before, 10.0, durations=durations, refused={"503": 37, "400": 5}, workers=workers)
    past = history(*(later(before, 2.0 * step) for step in range(5)))
    text = re.sub(r"\s+", " ", Document(render(now, past)).text)
    for part in (
        "p50 < 5 ms", "p99 > 10 s", "2 in 10 s, and 37 requests refused with 503", "3 streams wait for clients",
        "0 of 4 threads busy, 1 in retiring workers",
    ):  # fmt: skip
        assert part in text


def test_loops_are_counted_where_a_worker_has_several() -> None:
    assert b"2 of 2 ready, generation 0" in render(snapshot(), history())
    several = snapshot(workers=[worker(0), worker(1, loops=3)])
    assert b"2 of 2 ready, 4 loops, generation 0" in render(several, history())


def test_times_are_those_of_the_error_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert "at 19:43:20" in Document(render(snapshot(), history())).text
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("text", HOSTILE)
def test_strangers_text_is_text(text: str) -> None:
    told = Told(name=text, urls=[text], settings={text: text}, reload_failure=text, crash_loop=text,
                events=[Event(AT, text, True, text, details=text)])  # fmt: skip
    now = snapshot(
        told=told, running=[running(text, method=text, request_id=text)], refused={text: 1}, refused_peers={text: 1},
        certificates=[Certificate(text, AT)], listeners=[ListenQueue(text, 100, 100)], build=text, version=text,
        workers=[worker(0, is_stuck=True, seen=9.0)],
    )  # fmt: skip
    raw = render(now, history())
    page = Document(raw)
    assert [tag for tag, _ in page.elements if tag in ("script", "img")] == ["script"]
    visible = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
    assert page.text.count(visible) >= 12
    assert not [one for one in raw.decode() if not one.isprintable() and one != "\n"]


def test_the_policy_allows_what_the_page_has_and_no_more() -> None:
    page = render(*status_scenes.calm()).decode()
    for kind in ("script", "style"):
        inline = re.search(f"<{kind}>(.*?)</{kind}>", page, re.DOTALL)
        assert inline is not None
        digest = base64.b64encode(hashlib.sha256(inline[1].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in POLICY
    assert "unsafe" not in POLICY
    for part in ("default-src 'none'", "connect-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert part in POLICY


@pytest.mark.parametrize(
    ("query", "seconds"),
    [("refresh=2", 2), ("a=b&refresh=30", 30), ("refresh=999999", LONGEST_REFRESH), ("refresh=0", 0), ("refresh=-1", 0),
     ("refresh=2;url=//x", 0), ("refresh", 0), ("refresh=%32", 2), ("&" * 100 + "refresh=2", 0),
     ("refresh=" + "9" * 99, 0), ("refresh=%C2%B2", 0)],
)  # fmt: skip
def test_refresh_without_script(query: str, seconds: int) -> None:
    page = Document(render(snapshot(), history(), query))
    refreshes = [its["content"] for tag, its in page.elements if its.get("http-equiv")]
    assert refreshes == ([str(seconds)] if seconds else [])
    assert ("script" in [tag for tag, _ in page.elements]) is not bool(seconds)


def test_what_is_unknown_in_a_gap_is_not_drawn() -> None:
    first = snapshot()
    times = [0.0, 2.0, 4.0, 60.0, 62.0]
    past = history(*(later(first, one) for one in times))
    page = render(later(first, 64.0), past).decode()
    drawn = re.search(r'id="tile-queue".*?class="line " d="([^"]*)"', page, re.DOTALL)
    assert drawn is not None
    assert drawn[1] == "M268 49 270 49M298 49 300 49"


def test_a_big_service_has_a_page_of_bounded_size() -> None:
    page = render(*status_scenes.crowded())
    assert len(page) < 300_000
    text = Document(page).text
    assert "and 900 more" in text
    assert text.count("saturated") == 1 + 64


def test_the_title_tells_the_verdict() -> None:
    page = render(*status_scenes.saturated()).decode()
    assert "<title>saturated · shop.wsgi:application</title>" in page


def luminance(colour: str) -> float:
    """WCAG 2.1's relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_texts_have_contrast(theme: str) -> None:
    light, dark = STYLE.split("@media", 1)
    colours = dict(re.findall(r"--([\w-]+): (#\w{6});", light if theme == "light" else dark))
    assert len(colours) >= 13
    grounds = ("ground", "surface", "ok-ground", "warn-ground", "bad-ground")
    pairs = [(text, ground) for text in ("ink", "dim", "accent", "ok", "warn", "bad") for ground in grounds]
    for pair in pairs:
        low, high = sorted(luminance(colours[name]) for name in pair)
        assert (high + 0.05) / (low + 0.05) >= 4.5, pair


def test_events_of_one_moment_have_names_of_their_own() -> None:
    told = Told(events=[Event(AT, "start", False, f"worker {number}") for number in range(3)])
    names = [name for name in Document(render(snapshot(told=told), history())).names("id") if name.startswith("e1")]
    assert len(set(names)) == 3
