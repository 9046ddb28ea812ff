"""Real applications, served as users serve them: Flask, Django, Falcon, Bottle; to requests, http.client, curl and wrk.

Each application runs in a process of its own, in both builds, as it is and under the validator of wsgiref. What all
of them can do is asked of all; then each is asked for its own. realapps/ has the applications.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.conftest import without_compiled
from tests.helpers.real_sites import APPS, Serve, Site, curl, split_answer
from tests.helpers.serving import PATIENCE

HERE = Path(__file__).parent / "realapps"
LARGE = bytes(range(256)) * 12_000  # some 3 MB
STREAMED = b"".join(b"piece %d\n" % number for number in range(20))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the processes find: the file to send, and a Django database with an administrator."""
    folder = tmp_path_factory.mktemp("realapps")
    (folder / "large.bin").write_bytes(LARGE)
    paths = (str(HERE.parents[2]), str(HERE), str(HERE / "django_project"), os.environ.get("PYTHONPATH", ""))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "REALAPPS_FILE": str(folder / "large.bin"),
        "REALAPPS_DATABASE": str(folder / "shop.sqlite3"),
        "DJANGO_SETTINGS_MODULE": "shop.settings",
        "DJANGO_SUPERUSER_PASSWORD": "secret",
    }
    user = ("--username", "admin", "--email", "admin@example.com")
    for arguments in (("migrate", "--verbosity", "0"), ("createsuperuser", "--noinput", "--verbosity", "0", *user)):
        subprocess.run([sys.executable, "-m", "django", *arguments], env=environment, check=True, timeout=60)
    return environment


@pytest.fixture(scope="module", params=["c", "py", "c-validated", "py-validated"])
def serve(request: pytest.FixtureRequest, environment: dict[str, str]) -> Iterator[Serve]:
    """Gives the Site of an application by its name, started when it is first asked for."""
    build, _, validated = request.param.partition("-")
    if build == "c" and without_compiled():
        pytest.skip("told to run without the compiled build")
    sites: dict[str, Site] = {}
    with contextlib.ExitStack() as stack:

        def start(name: str) -> Site:
            if name not in sites:
                sites[name] = Site(name, build, bool(validated), environment)
                stack.callback(sites[name].stop)
            return sites[name]

        yield start


@pytest.fixture(params=APPS)
def site(request: pytest.FixtureRequest, serve: Serve) -> Site:
    return serve(request.param)


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


# What all of them can do


def test_requests_keeps_one_connection(site: Site, session: requests.Session) -> None:
    ports = set()
    for _ in range(5):
        answer = session.get(f"{site.url}/hello", timeout=PATIENCE)
        assert (answer.status_code, answer.text, answer.headers["Server"]) == (200, "hello", "fastwsgi")
        ports.add(answer.headers["X-Port"])
    assert session.get(f"{site.url}/stream", timeout=PATIENCE).content == STREAMED
    assert session.post(f"{site.url}/echo", data=b"body", timeout=PATIENCE).content == b"body"
    assert session.head(f"{site.url}/hello", timeout=PATIENCE).content == b""
    assert session.get(f"{site.url}/none", timeout=PATIENCE).status_code == 404
    ports.add(session.get(f"{site.url}/hello", timeout=PATIENCE).headers["X-Port"])
    assert len(ports) == 1


def test_a_failure_is_a_500_and_the_server_goes_on(site: Site, session: requests.Session) -> None:
    assert session.get(f"{site.url}/fail", timeout=PATIENCE).status_code == 500
    assert session.get(f"{site.url}/hello", timeout=PATIENCE).text == "hello"


def test_a_stream_comes_in_chunks(site: Site) -> None:
    with site.connect() as connection:
        connection.request("GET", "/stream")
        answer = connection.getresponse()
        assert answer.getheader("Transfer-Encoding") == "chunked"
        assert answer.read() == STREAMED


def test_a_file_is_sent_whole(site: Site, session: requests.Session) -> None:
    answer = session.get(f"{site.url}/file", timeout=PATIENCE)
    assert answer.headers["Content-Length"] == str(len(LARGE))
    assert answer.content == LARGE


def test_http_client_uploads_chunks(site: Site) -> None:
    pieces = [b"one", b"two" * 1000, LARGE, b"end"]
    with site.connect() as connection:
        for _ in range(2):
            connection.request("POST", "/echo", iter(pieces), {"Content-Type": "text/plain"}, encode_chunked=True)
            answer = connection.getresponse()
            assert (answer.status, answer.read() == b"".join(pieces)) == (200, True)


def test_http_client_waits_for_100_continue(site: Site) -> None:
    with site.connect() as connection:
        connection.putrequest("PUT" if site.name == "flask" else "POST", "/echo")
        connection.putheader("Expect", "100-continue")
        connection.putheader("Content-Length", "7")
        connection.endheaders()
        interim = b"HTTP/1.1 100 Continue\r\n\r\n"
        assert connection.sock.recv(len(interim), socket.MSG_WAITALL) == interim
        connection.send(b"content")
        assert connection.getresponse().read() == b"content"


def test_curl_speaks_http_1_0(site: Site) -> None:
    status, fields, body = split_answer(curl("--http1.0", "--include", f"{site.url}/stream"))
    assert status == "HTTP/1.1 200 OK"
    assert "transfer-encoding" not in fields
    assert body == STREAMED


def test_curl_asks_for_the_head(site: Site) -> None:
    status, fields, body = split_answer(curl("--head", f"{site.url}/hello"))
    assert (status, fields["content-length"], body) == ("HTTP/1.1 200 OK", "5", b"")


def test_curl_uploads(site: Site) -> None:
    assert curl("--request", "POST", "--upload-file", "-", f"{site.url}/echo", data=LARGE) == LARGE
    assert curl("--data-binary", "@-", f"{site.url}/echo", data=LARGE) == LARGE


def test_curl_gets_nothing_compressed_from_us(site: Site) -> None:
    status, fields, body = split_answer(curl("--compressed", "--include", f"{site.url}/hello"))
    assert (status, body) == ("HTTP/1.1 200 OK", b"hello")
    assert "content-encoding" not in fields


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
@pytest.mark.parametrize("serve", ["c", "py"], indirect=True)
def test_wrk_sees_no_errors(site: Site) -> None:
    command = ["wrk", "--threads", "1", "--connections", "8", "--duration", "1s", f"{site.url}/hello"]
    report = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
    assert "Socket errors" not in report
    assert "Non-2xx" not in report
    assert int(re.findall(r"(\d+) requests in", report)[0]) > 50


def test_the_demo(serve: Serve, session: requests.Session) -> None:
    demo = serve("demo")
    for path, expected in (("/", "REQUEST_METHOD"), ("/stream", ""), ("/none", "")):
        answer = session.get(demo.url + path, timeout=PATIENCE)
        assert answer.status_code == (404 if path == "/none" else 200)
        assert expected in answer.text


# Flask


def test_flask_routes_and_forms(serve: Serve, session: requests.Session) -> None:
    url = serve("flask").url
    user = session.get(f"{url}/users/J%C3%BCrgen?a=1&b=%20", timeout=PATIENCE)
    assert user.json() == {"name": "Jürgen", "args": {"a": "1", "b": " "}, "url": "/users/J%C3%BCrgen"}
    answer = session.post(f"{url}/form", data={"x": "ü"}, files={"upload": LARGE}, timeout=PATIENCE)
    assert answer.json() == {"x": "ü", "uploaded": len(LARGE)}
    assert session.post(f"{url}/json", json={"numbers": [1, 2, 3]}, timeout=PATIENCE).json() == {"sum": 6}
    assert session.post(f"{url}/json", data="{", timeout=PATIENCE).status_code == 415
    assert session.get(f"{url}/moved", timeout=PATIENCE).text == "hello"
    assert session.delete(f"{url}/hello", timeout=PATIENCE).status_code == 405


def test_flask_cookies_and_sessions(serve: Serve, session: requests.Session) -> None:
    url = serve("flask").url
    assert session.get(f"{url}/visits", timeout=PATIENCE).json() == {"visits": 1, "seen": None}
    seen = session.get(f"{url}/visits", timeout=PATIENCE).json()
    assert (seen["visits"], seen["seen"]) == (2, "yes; really")


def test_flask_sends_parts_of_a_file(serve: Serve, session: requests.Session) -> None:
    url = f"{serve('flask').url}/file"
    part = session.get(url, headers={"Range": "bytes=1000-250999"}, timeout=PATIENCE)
    assert (part.status_code, part.content) == (206, LARGE[1000:251000])
    known = session.get(url, headers={"If-None-Match": part.headers["ETag"]}, timeout=PATIENCE)
    assert (known.status_code, known.content) == (304, b"")
    assert session.get(url, headers={"Range": "bytes=99999999-"}, timeout=PATIENCE).status_code == 416


# Django


def token_in(page: str) -> str:
    """The CSRF token of a form."""
    return re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[0]


def test_django_admin(serve: Serve, session: requests.Session) -> None:
    url = serve("django").url
    login = session.get(f"{url}/admin/", timeout=PATIENCE)
    assert login.url == f"{url}/admin/login/?next=/admin/"
    wrong = {"username": "admin", "password": "secret", "next": "/admin/"}
    assert session.post(login.url, data=wrong, timeout=PATIENCE).status_code == 403  # no CSRF token
    right = {**wrong, "csrfmiddlewaretoken": token_in(login.text)}
    index = session.post(login.url, data=right, timeout=PATIENCE)
    assert (index.status_code, index.url) == (200, f"{url}/admin/")
    assert "Site administration" in index.text
    form = session.get(f"{url}/admin/auth/group/add/", timeout=PATIENCE)
    group = {"csrfmiddlewaretoken": token_in(form.text), "name": f"Grün {serve('django').port}"}
    added = session.post(form.url, data=group, timeout=PATIENCE)
    assert added.url == f"{url}/admin/auth/group/"
    assert f"{group['name']}</a>” was added successfully" in added.text


def test_django_static_files(serve: Serve, session: requests.Session) -> None:
    url = f"{serve('django').url}/static/admin/css/base.css"
    answer = session.get(url, timeout=PATIENCE)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/css")
    assert len(answer.content) == int(answer.headers["Content-Length"]) > 10_000
    unchanged = {"If-Modified-Since": answer.headers["Last-Modified"]}
    assert session.get(url, headers=unchanged, timeout=PATIENCE).status_code == 304


def test_django_upload_of_some_megabytes(serve: Serve, session: requests.Session) -> None:
    answer = session.post(
        f"{serve('django').url}/upload", data={"note": "für"}, files={"upload": ("a.bin", 2 * LARGE)}, timeout=PATIENCE
    )
    assert answer.json() == {
        "name": "a.bin",
        "size": 2 * len(LARGE),
        "sha256": hashlib.sha256(2 * LARGE).hexdigest(),
        "on_disk": True,
        "note": "für",
    }


def test_django_sessions(serve: Serve, session: requests.Session) -> None:
    url = f"{serve('django').url}/visits"
    assert [session.get(url, timeout=PATIENCE).json()["visits"] for _ in range(3)] == [1, 2, 3]
    assert requests.get(url, timeout=PATIENCE).json() == {"visits": 1}


def test_django_refuses_a_strange_host(serve: Serve) -> None:
    answer = requests.get(f"{serve('django').url}/hello", headers={"Host": "evil.test"}, timeout=PATIENCE)
    assert answer.status_code == 400


# Falcon


def test_falcon_media(serve: Serve, session: requests.Session) -> None:
    url = serve("falcon").url
    made = session.post(f"{url}/things", json={"name": "Öl"}, timeout=PATIENCE)
    assert (made.status_code, made.content) == (201, b"")
    one = url + made.headers["Location"]
    thing = session.get(f"{one}?verbose=true", timeout=PATIENCE).json()
    assert (thing["name"], thing["verbose"]) == ("Öl", True)
    gone = session.delete(one, timeout=PATIENCE)
    assert (gone.status_code, gone.content, "Content-Length" in gone.headers) == (204, b"", False)
    assert session.get(one, timeout=PATIENCE).json() == {"title": "404 Not Found"}
    nameless = session.post(f"{url}/things", json={}, timeout=PATIENCE)
    assert (nameless.status_code, nameless.json()) == (422, {"title": "A thing has a name"})
    assert session.post(f"{url}/things", data="{", timeout=PATIENCE).status_code == 400


def test_falcon_reads_forms_of_several_parts(serve: Serve, session: requests.Session) -> None:
    answer = session.post(f"{serve('falcon').url}/parts", files={"small": b"123", "large": LARGE}, timeout=PATIENCE)
    assert answer.json() == {"small": 3, "large": len(LARGE)}


# Bottle


def test_bottle_templates_and_errors(serve: Serve, session: requests.Session) -> None:
    url = serve("bottle").url
    page = session.get(f"{url}/list", params={"item": ["<b>", "ö"]}, timeout=PATIENCE)
    assert page.text == "<ul>\n  <li>&lt;b&gt;</li>\n  <li>ö</li>\n</ul>"
    teapot = session.get(f"{url}/teapot", timeout=PATIENCE)
    assert teapot.status_code == 418
    assert "short and stout" in teapot.text


def test_bottle_uploads_and_cookies(serve: Serve, session: requests.Session) -> None:
    url = serve("bottle").url
    files = {"upload": ("naïve.bin", LARGE)}
    uploaded = session.post(f"{url}/upload", data={"note": "ü"}, files=files, timeout=PATIENCE).json()
    assert (uploaded["size"], uploaded["note"]) == (len(LARGE), "ü")
    assert [session.get(f"{url}/visits", timeout=PATIENCE).json()["visits"] for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("wanted", "status", "first", "last"),
    [("0-9", 206, 0, 10), ("-5", 206, len(LARGE) - 5, len(LARGE)), (f"{len(LARGE)}-", 416, 0, 0)],
)
def test_bottle_sends_parts_of_a_file(serve: Serve, wanted: str, status: int, first: int, last: int) -> None:
    url = f"{serve('bottle').url}/file"
    answer = requests.get(url, headers={"Range": f"bytes={wanted}"}, timeout=PATIENCE)
    assert answer.status_code == status
    if status == 206:
        assert answer.content == LARGE[first:last]
        assert answer.headers["Content-Range"] == f"bytes {first}-{last - 1}/{len(LARGE)}"
