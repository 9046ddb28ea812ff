"""A blog of Flask's in Chromium, in debug mode: forms, a login, and the debugger's console behind its PIN."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.browser import Browser, chromium, needs_browser
from tests.helpers.processes import Process, running

pytestmark = [
    needs_browser,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of the driver
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
BLOG = Path(__file__).parent / "sites" / "blog.py"
PIN = "123-456-789"


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as window:
        yield window


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    """`flask fastwsgi --debug`, in a folder of its own."""
    shutil.copy(BLOG, tmp_path)
    monkeypatch.chdir(tmp_path)
    words = ["-m", "flask", "--app", "blog", "fastwsgi", "--debug", "--port", "0"]
    with running(words, "c", WERKZEUG_DEBUG_PIN=PIN) as process:
        yield process


def fill(browser: Browser, *texts: str) -> None:
    """Type into the inputs of the form, and send it."""
    for field, text in zip(browser.driver.find_elements("css selector", "form input"), texts):
        field.send_keys(text)
    browser.driver.find_element("css selector", "#send").click()


def test_a_login_a_post_and_the_console(server: Process, browser: Browser) -> None:
    base = server.line(r"listening on (\S+)")[1]
    browser.look(f"{base}/register")
    fill(browser, "jane", "pride")
    browser.comes(lambda: browser.driver.current_url == f"{base}/login")
    fill(browser, "jane", "prejudice")
    browser.comes(lambda: "Wrong name" in browser.text(".flash"))
    fill(browser, "jane", "pride")
    browser.comes(lambda: browser.text("nav") == "jane")
    browser.look(f"{base}/create")
    fill(browser, "Emma", "handsome, clever, and rich")
    browser.comes(lambda: "Emma" in browser.text("article"))
    assert browser.complaints() == []

    browser.look(f"{base}/fail")
    browser.comes(lambda: "RuntimeError: not 42" in browser.text())
    browser.run("[...document.querySelectorAll('div.frame')].pop().querySelector('pre img').click()")
    browser.driver.find_element("css selector", ".pin-prompt [name=pin]").send_keys(PIN, "\n")
    browser.comes(lambda: browser.run("return EVALEX_TRUSTED"))
    browser.driver.find_element("css selector", ".console input").send_keys("answer + 1\n")
    browser.comes(lambda: browser.text(".console .output").endswith("43"))
    server.signal()
    assert server.wait() == 0
