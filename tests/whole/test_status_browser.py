"""The status page in Chromium: it shows what is, brings itself up to date, keeps its policy, and fits a phone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastwsgi.status.history import History
from fastwsgi.status.page import POLICY, render
from fastwsgi.status.snapshot import Event, Snapshot, Told
from tests.helpers import status_scenes
from tests.helpers.browser import Browser, chromium, needs_browser
from tests.helpers.serving import PATIENCE
from tests.helpers.simple_servers import quiet_server, served
from tests.helpers.snapshots import AT, history, running, snapshot, worker

pytestmark = [
    needs_browser,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of the driver
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
HOSTILE = "/<script>alert(1)</script><img src=x onerror=alert(1)>\u202egnp.exe"
STACK = "\n".join(f'  File "shop.py", line {number}' for number in range(40))


class Site:
    """Serves pages that are made up.

    Attributes:
        now: what they show.
        status: of its answers.
        asked: how often it was.
    """

    def __init__(self) -> None:
        self.now: tuple[Snapshot, History] = (snapshot(), history())
        self.status = "200 OK"
        self.asked = 0
        self.addition = b""
        self.answers = threading.Event()
        self.answers.set()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.asked += 1
        self.answers.wait(PATIENCE)
        start_response(self.status, [("Content-Type", "text/html"), ("Content-Security-Policy", POLICY)])
        return [render(*self.now, environ["QUERY_STRING"]) + self.addition]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as window:
        yield window


@pytest.fixture
def site(browser: Browser) -> Iterator[Site]:
    site = Site()
    with served(quiet_server(site), 0.05) as server:
        site.url = f"http://127.0.0.1:{server.server_port}/"  # type: ignore[attr-defined]
        yield site
        browser.driver.get("about:blank")
    assert browser.complaints() == []


def service(**changes: Any) -> tuple[Snapshot, History]:
    """A service with an event that has details, and many requests that run."""
    requests = [running(f"/orders/{number}", 9.0 - number / 10, thread=100 + number) for number in range(30)]
    told = Told(name="shop:app", events=[Event(AT - 9, "timeout", True, "gave up", details=STACK)])
    return snapshot(**{"running": requests, "told": told, **changes}), history()


def test_it_updates_and_keeps_what_the_reader_has_done(browser: Browser, site: Site) -> None:
    site.now = service()
    browser.look(site.url, width=400)
    assert browser.text("h1") == "●serving"
    browser.run(
        """document.querySelector("details").open = true;
        document.getElementById("s-workers").scrollLeft = 90;
        document.getElementById("s-running").focus();
        document.getElementById("workers").scrollIntoView();
        getSelection().selectAllChildren(document.querySelector("#r7100-105 bdi"));"""
    )
    told = Told(name="shop:app", events=[*site.now[0].told.events, Event(AT, "exit", True, "killed by SIGKILL")])
    workers = [worker(0, is_stuck=True, seen=7.0), worker(1), worker(2)]
    site.now = service(told=told, workers=workers, running=[running("/new", 99.0, thread=7), *site.now[0].running[2:]])
    browser.comes(lambda: browser.text("h1") == "■stuck")
    kept = browser.run(
        """return [document.querySelector("details").open, document.getElementById("s-workers").scrollLeft,
        document.activeElement.id, Math.round(document.getElementById("workers").getBoundingClientRect().top),
        String(getSelection())]"""
    )
    assert kept == [True, 90, "s-running", 0, "/orders/5"]
    assert browser.driver.title == "stuck · shop:app"
    rows = browser.run("return [...document.querySelectorAll('#running tbody tr')].map((one) => one.id)")
    assert rows == ["r7100-7", *(f"r7100-{number}" for number in range(102, 130))]
    assert "killed by SIGKILL" in browser.text(".events li")


def test_it_becomes_the_very_page_that_was_sent(browser: Browser, site: Site) -> None:
    for name in ("calm", "saturated", "stopping"):
        site.now = status_scenes.SCENES[name]()
        if site.asked == 0:
            browser.look(site.url)
        word = "serving" if name == "calm" else name
        browser.comes(lambda: word in browser.text("h1"))  # noqa: B023
        shown = browser.run("return document.querySelector('main').outerHTML")
        browser.driver.get(site.url)
        assert browser.run("return document.querySelector('main').outerHTML") == shown


def test_it_says_that_nobody_answers_and_recovers(browser: Browser, site: Site) -> None:
    browser.look(site.url)
    site.status = "503 Service Unavailable"
    browser.comes(lambda: browser.text("#lost").startswith("status 503 for "))
    assert browser.driver.title.startswith("no answer · serving")
    site.status = "200 OK"
    browser.comes(lambda: not browser.text("#lost"))
    assert browser.driver.title.startswith("serving")
    assert all("503" in one for one in browser.complaints())


def test_it_says_that_the_server_hangs(browser: Browser, site: Site) -> None:
    browser.look(site.url)
    site.answers.clear()
    try:
        browser.comes(lambda: browser.text("#lost").startswith("no answer for "))
    finally:
        site.answers.set()
    browser.comes(lambda: not browser.text("#lost"))


def test_strangers_text_is_text(browser: Browser, site: Site) -> None:
    told = Told(name=HOSTILE, reload_failure=HOSTILE, settings={HOSTILE: HOSTILE})
    site.now = snapshot(running=[running(HOSTILE)], told=told), history()
    browser.look(site.url)
    shown = HOSTILE.replace("\u202e", "\\u202e")
    assert browser.text("#running bdi") == shown
    assert shown in browser.text("#verdict")
    assert browser.run("return document.querySelectorAll('main script, main img').length") == 0


def test_nothing_is_wider_than_the_window(browser: Browser, site: Site) -> None:
    long = "x" * 4000
    told = Told(name=long, urls=[long], settings={long: long}, reload_failure=long,
                events=[Event(AT, "start", True, long, details=long)])  # fmt: skip
    wide = snapshot(running=[running(f"/{long}", request_id=long)], told=told, refused_peers={long: 1}), history()
    for site.now in (wide, *(make() for make in status_scenes.SCENES.values())):
        browser.look(site.url)
        browser.run("for (const one of document.querySelectorAll('details')) one.open = true")
        for width in (1280, 900, 700, 520, 400, 320):
            browser.size(width, 800)
            assert browser.run("return document.documentElement.scrollWidth") <= width


def test_it_works_without_script(browser: Browser, site: Site) -> None:
    browser.let_script(False)
    try:
        browser.look(f"{site.url}?refresh=1")
        site.now = service(is_stopping=True)
        browser.comes(lambda: "stopping" in browser.driver.page_source)
        assert site.asked >= 2
        browser.look(site.url)
        assert "load it every 2 s" in browser.text("noscript")
    finally:
        browser.let_script(True)


def test_the_policy_is_in_force(browser: Browser, site: Site) -> None:
    """Else the tests here could not see a violation."""
    site.addition = b"<script>document.title = 'broken'</script><p style='color: red'><img src='/x.png'>"
    browser.look(site.url)
    assert browser.driver.title.startswith("serving")
    complaints = browser.complaints()
    for kind in ("script-src", "style-src", "img-src"):
        assert any(kind in one for one in complaints)


def test_no_request_goes_elsewhere(browser: Browser, site: Site) -> None:
    site.now = status_scenes.saturated()
    browser.look(site.url)
    browser.comes(lambda: site.asked >= 3)  # the second one has been recorded by then
    loaded = browser.run("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert {one for one in loaded if not one.startswith("data:")} == {site.url}


def test_pictures(browser: Browser, site: Site, tmp_path: Path) -> None:
    site.now = status_scenes.calm()
    browser.look(site.url, width=400, dark=True)
    browser.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 20_000
