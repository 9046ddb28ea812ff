"""A whole Django project, served by the command and by manage.py with two workers, for requests of a client."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import requests

from tests.helpers.library import PASSWORD, Library, Site
from tests.helpers.serving import PATIENCE

LARGE = bytes(range(256)) * 12_000  # some 3 MB: Django has it in a temporary file
WHITENOISE = {"LIBRARY_WHITENOISE": "1"}
WAYS = {"fastwsgi": ("library.wsgi:application",), "manage.py": ()}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The project in production."""
    library = Library(tmp_path_factory.mktemp("django") / "library")
    library.manage("collectstatic", "--noinput", "--verbosity", "0", **WHITENOISE)
    return library


@pytest.fixture(scope="module", params=WAYS)
def site(request: pytest.FixtureRequest, library: Library) -> Iterator[Site]:
    """The project served."""
    with library.serving("--workers", "2", *WAYS[request.param], by=request.param, **WHITENOISE) as served:
        yield served
        served.process.signal()
        assert served.process.wait() == 0


def token_in(page: str) -> str:
    """The CSRF token of a form."""
    return re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[0]


def test_forms_uploads_messages_and_downloads(site: Site) -> None:
    with requests.Session() as session:
        page = session.get(f"{site.url}/", timeout=PATIENCE)
        form = {"title": "Über Bücher", "csrfmiddlewaretoken": token_in(page.text)}
        assert session.post(f"{site.url}/add/", data={"title": "x"}, timeout=PATIENCE).status_code == 403
        added = session.post(f"{site.url}/add/", data=form, files={"file": ("ü.bin", LARGE)}, timeout=PATIENCE)
        assert added.url == f"{site.url}/"
        assert f"“Über Bücher” has {len(LARGE)} bytes." in added.text
        assert "2 visits" in added.text
        path = re.findall('href="(/files/[0-9]+/)"', added.text)[-1]
        assert session.get(site.url + path, timeout=PATIENCE).content == LARGE
        assert "has" not in session.get(f"{site.url}/", timeout=PATIENCE).text.split("<form")[0]


def test_streams(site: Site) -> None:
    answer = site.get("/lines/?count=3")
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert re.sub("[0-9]+ books", "books", answer.text) == "line 0 of books\nline 1 of books\nline 2 of books\n"


def test_the_admin(site: Site) -> None:
    with requests.Session() as session:
        login = session.get(f"{site.url}/admin/", timeout=PATIENCE)
        given = {"username": "admin", "password": PASSWORD, "next": "/admin/"}
        token = {"csrfmiddlewaretoken": token_in(login.text)}
        index = session.post(login.url, data={**given, **token}, timeout=PATIENCE)
        assert "Site administration" in index.text
        form = session.get(f"{site.url}/admin/books/book/add/", timeout=PATIENCE)
        token = {"csrfmiddlewaretoken": token_in(form.text)}
        added = session.post(form.url, {"title": "Emma", **token}, files={"file": ("a", b"text")}, timeout=PATIENCE)
        assert "Emma</a>” was added successfully" in added.text


def test_static_files_of_whitenoise(site: Site) -> None:
    path = re.findall('href="(/static/books/books[^"]+css)"', site.get().text)[0]
    assert re.search(r"books\.[0-9a-f]{12}\.css$", path)
    sheet = site.get(path)
    assert "immutable" in sheet.headers["Cache-Control"]
    assert site.get(path, headers={"If-Modified-Since": sheet.headers["Last-Modified"]}).status_code == 304
    admin = site.get("/static/admin/css/base.css")
    assert (admin.status_code, admin.headers["Content-Encoding"]) == (200, "gzip")


def test_several_processes_answer(site: Site) -> None:
    pids: set[int] = set()
    while len(pids) < 2:
        pids.add(site.told()["pid"])
