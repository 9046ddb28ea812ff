"""The status page of a real service in Chromium: its figures are those of the load that ran."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.helpers.browser import Browser, chromium, needs_browser
from tests.helpers.deployments import Deployment
from tests.helpers.serving import request
from tests.helpers.status import Status, observed

pytestmark = [needs_browser, pytest.mark.filterwarnings("ignore::ResourceWarning")]  # of the driver
SITE = """
import os, signal, sys

def app(environ, start_response):
    path = environ["PATH_INFO"]
    start_response({"/": "200 OK", "/gone": "404 Not Found", "/broken": "500 No"}.get(path, "200 OK"), [])
    while path == "/held" and not os.path.exists(os.path.join(sys.argv[1], "go")):
        signal.sigtimedwait([], 0.01)
    return [b"done"]
"""


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with chromium() as window:
        yield window


@pytest.fixture
def browser(window: Browser) -> Browser:
    """The window, in which the page of the test before is no more."""
    window.driver.get("about:blank")
    window.complaints()
    return window


def look(browser: Browser, status: Status, query: str = "") -> None:
    """Open the page."""
    host, port = status.address
    browser.look(f"http://{host}:{port}/{query}")


def fact(browser: Browser, name: str) -> str:
    """The value beside *name*, "" if it is not there."""
    return str(browser.run(
        "return [...document.querySelectorAll('dt')].find((one) => one.innerText === arguments[0])"
        "?.nextSibling.innerText ?? ''", name,
    ))  # fmt: skip


def ask(server: Deployment, target: str, times: int) -> None:
    """So many requests, on one connection."""
    with server.connect() as client:
        for _ in range(times):
            client.send(request(target=target)).answer()


def test_the_figures_are_those_of_the_load(browser: Browser, tmp_path: Path, build: SimpleNamespace) -> None:
    with observed(tmp_path, build.name, SITE, workers=2, threads=2) as (server, status):
        look(browser, status)
        browser.comes(lambda: browser.text("h1") == "●serving")
        for target, times in (("/", 57), ("/gone", 11), ("/broken", 5)):
            ask(server, target, times)
        with server.connect() as client:
            client.send(b"NONSENSE\r\n\r\n").rest()
        browser.comes(lambda: fact(browser, "answers 5xx") == "5")
        assert (fact(browser, "answers 2xx"), fact(browser, "answers 4xx")) == ("57", "11")
        browser.comes(lambda: "73 since the start" in browser.text("#tile-requests"))
        browser.comes(lambda: fact(browser, "400 Bad Request") == "1")
        cells = "#workers tbody td:nth-child(2)"
        pids = browser.run("return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText)", cells)
        assert pids == [str(one["pid"]) for one in status.document()["workers"]]
        assert fact(browser, "workers") == "2"
        assert browser.complaints() == []


def test_it_says_saturated_while_it_is(browser: Browser, tmp_path: Path, build: SimpleNamespace) -> None:
    with observed(tmp_path, build.name, SITE, workers=1, threads=2) as (server, status), ExitStack() as stack:
        look(browser, status)
        clients = [stack.enter_context(server.connect()) for _ in range(5)]
        for client in clients:
            client.send(request(target="/held"))
        browser.comes(lambda: browser.text("h1") == "■saturated")
        assert "all 2 threads busy, 3 requests waiting" in browser.text("#verdict")
        assert browser.text("#tile-queue .figure") == "3"
        rows = browser.run("return [...document.querySelectorAll('#running bdi')].map((one) => one.innerText)")
        assert rows.count("/held") == 2
        server.let_go()
        for client in clients:
            assert client.answer().body == b"done"
        browser.comes(lambda: browser.text("h1") == "●serving")


def test_without_script_too(browser: Browser, tmp_path: Path) -> None:
    browser.let_script(False)
    try:
        with observed(tmp_path, "py", SITE) as (server, status):
            look(browser, status, "?refresh=1")
            ask(server, "/", 7)
            browser.comes(lambda: "7 since the start" in browser.driver.page_source)
    finally:
        browser.let_script(True)


def test_a_service_that_has_gone_is_told(browser: Browser, tmp_path: Path) -> None:
    with observed(tmp_path, "py", SITE) as (_, status):
        look(browser, status)
        assert browser.text("#lost") == ""
    browser.comes(lambda: browser.text("#lost").startswith("no answer for "))
