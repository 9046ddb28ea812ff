"""The Django project in Chromium: admin, upload, stream and static files, in development and with WhiteNoise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.browser import Browser, chromium, needs_browser
from tests.helpers.library import PASSWORD, Library, Site

pytestmark = [
    needs_browser,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of the driver
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
GREEN = "rgb(0, 100, 0)"
COLOUR = "return getComputedStyle(document.querySelector('h1')).color"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as window:
        yield window


@pytest.fixture(scope="module", params=["development", "WhiteNoise", "WhiteNoise, fastwsgi"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The project with two workers: by manage.py with DEBUG, by it in production, and by the command there."""
    library = Library(tmp_path_factory.mktemp("django") / "library")
    if request.param == "development":
        with library.serving("--workers", "2", backend="c", LIBRARY_DEBUG="1") as served:
            yield served
        return
    variables = {"LIBRARY_WHITENOISE": "1"}
    library.manage("collectstatic", "--noinput", "--verbosity", "0", **variables)
    application, by = ([], "manage.py") if "," not in request.param else (["library.wsgi"], "fastwsgi")
    with library.serving("--workers", "2", *application, by=by, backend="c", **variables) as served:
        yield served


def fill(browser: Browser, **values: str) -> None:
    """Type into the fields of a form, by their names, and send it."""
    fields = browser.driver.find_elements("css selector", "form [name]")
    for field in fields:
        if field.get_attribute("name") in values:
            field.send_keys(values[field.get_attribute("name")])
    browser.driver.find_element("css selector", "#send, [type=submit]").click()


def test_a_page_its_script_a_stream_and_an_upload(site: Site, browser: Browser, tmp_path: Path) -> None:
    handed_in = tmp_path / "emma.txt"
    handed_in.write_bytes(b"Emma Woodhouse, handsome, clever, and rich\n" * 70_000)
    browser.look(site.url)
    assert browser.run(COLOUR) == GREEN
    browser.comes(lambda: browser.text("#stream") == "100 lines")
    fill(browser, title="Emma", file=str(handed_in))
    browser.comes(lambda: browser.text("#messages") == f"“Emma” has {handed_in.stat().st_size} bytes.")
    assert "Emma" in browser.text("#books")
    assert browser.text("#visits") == "2 visits"
    assert browser.complaints() == []


def test_the_admin(site: Site, browser: Browser) -> None:
    browser.look(f"{site.url}/admin/")
    fill(browser, username="admin", password=PASSWORD)
    browser.comes(lambda: "Site administration" in browser.text())
    browser.look(f"{site.url}/admin/books/book/")
    browser.comes(lambda: "Emma" in browser.text("#result_list"))
    assert browser.run("return getComputedStyle(document.querySelector('#header')).display") == "flex"
    assert [one for one in browser.complaints() if "favicon" not in one] == []
