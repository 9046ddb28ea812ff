"""`manage.py fastwsgi`: what it reads, what it checks, what it reloads, and that new code comes by SIGHUP."""

from __future__ import annotations

import signal
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from fastwsgi.contrib.django import options
from tests.helpers.library import Library, catalogue


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A project that no test changes."""
    return Library(tmp_path_factory.mktemp("django") / "library")


@pytest.mark.parametrize(
    ("addrport", "ipv6", "bind"),
    [
        ("8001", False, "127.0.0.1:8001"),
        ("8001", True, "[::1]:8001"),
        ("0:8000", False, "0.0.0.0:8000"),
        ("[::1]:8000", False, "[::1]:8000"),
        ("10.1.2.3:80", False, "10.1.2.3:80"),
        ("localhost:80", False, "localhost:80"),
    ],
)
def test_addresses_are_runservers(addrport: str, ipv6: bool, bind: str) -> None:
    assert options.address(addrport, ipv6) == bind


@pytest.mark.parametrize(("addrport", "ipv6"), [("80x", False), ("::1:8000", False), ("1.2.3.4:80", True)])
def test_wrong_addresses_are_told_as_by_runserver(addrport: str, ipv6: bool) -> None:
    with pytest.raises(CommandError, match="is not a valid"):
        options.address(addrport, ipv6)


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "line"),
    [
        (["--wrkers", "4"], {}, 2, "fastwsgi: unknown option --wrkers; did you mean --workers?"),
        (["--workers", "x"], {}, 2, "fastwsgi: --workers 'x' must be"),
        (["8001", "8002"], {}, 2, "fastwsgi: one ADDRPORT only: 8001, and not 8002 (see manage.py fastwsgi --help)"),
        (["8001", "-b", ":80"], {}, 1, "CommandError: An address and --bind are two ways to say where to listen"),
        (["80x"], {}, 1, 'CommandError: "80x" is not a valid port number or address:port pair.'),
        ([], {"LIBRARY_HOSTS": ""}, 1, "CommandError: You must set settings.ALLOWED_HOSTS if DEBUG is False."),
        (["--settings", "none.such"], {}, 1, "ModuleNotFoundError: No module named 'none'"),
    ],
)
def test_mistakes(library: Library, arguments: list[str], variables: dict[str, str], code: int, line: str) -> None:
    done = library.run("fastwsgi", *arguments, **variables)
    assert (done.returncode, line in done.stderr, done.stdout) == (code, True, ""), done.stderr
    assert code == 1 or len(done.stderr.splitlines()) == 1


def test_help_and_check(library: Library) -> None:
    shown = library.manage("help", "fastwsgi")
    assert shown == library.manage("fastwsgi", "--help")
    assert all(one in shown for one in ("ADDRPORT", "--nostatic", "--insecure", "--noreload", "--workers", "--threads"))
    told = library.manage("fastwsgi", "8001", "--check")
    assert "System check identified no issues" in told
    assert "answers GET / with 200 OK" in told
    assert "would be served on 127.0.0.1:8001" in told


def test_failed_checks_and_broken_code_end_it(tmp_path: Path) -> None:
    library = Library(tmp_path / "library", database=False)
    library.edit("books/models.py", "max_length=100", "max_length=0")
    failed = library.run("fastwsgi", "0")
    assert (failed.returncode, "must be a positive integer" in failed.stderr) == (1, True), failed.stderr
    assert "Traceback" not in failed.stderr
    library.edit("books/models.py", "max_length=0", "max_length=200")  # a migration is wanted, but not made
    library.write("library/urls.py", "import no_such_module")
    failed = library.run("fastwsgi", "0", "--skip-checks")
    assert failed.returncode == 1
    assert "Traceback" in failed.stderr
    assert "No module named 'no_such_module'" in failed.stderr


def test_sighup_brings_new_code_and_gives_up_broken_code(tmp_path: Path) -> None:
    library = Library(tmp_path / "library", database=False)
    with library.serving("--workers", "2", "--preload") as site:
        assert site.told()["version"] == 1
        assert site.get("/static/books/books.css").status_code == 404
    with library.serving("--workers", "2", TZ="TEST-9") as site:
        told = datetime.fromisoformat(site.process.line("worker [0-9]+ started").string[:19])
        ours = datetime.now(timezone(timedelta(hours=9))).replace(tzinfo=None)
        assert abs(told - ours) < timedelta(hours=1)  # and not in TIME_ZONE, which Django has put into TZ
        library.edit("books/views.py", '"version": 1', '"version": 2')
        site.process.signal(signal.SIGHUP)
        site.process.line("reload complete")
        site.comes('"version": 2', "/process/")
        library.write("library/urls.py", "import no_such_module")
        site.process.signal(signal.SIGHUP)
        site.process.line("No module named 'no_such_module'")
        site.process.line("the reload is given up, the old workers go on")
        assert site.told()["version"] == 2
        site.process.signal()
        assert site.process.wait() == 0


def test_in_development_it_reloads_what_runserver_reloads(tmp_path: Path) -> None:
    library = Library(tmp_path / "library")
    library.write("locale/de/LC_MESSAGES/django.mo", catalogue({"Library": "Bücherei"}))
    german = {"Accept-Language": "de"}
    with library.serving(LIBRARY_DEBUG="1") as site:
        pid = site.told()["pid"]
        site.process.line('"GET /process/ HTTP/1.1" 200')
        assert "Bücherei" in site.get(headers=german).text
        assert site.get("/static/books/books.css").status_code == 200
        library.edit("books/templates/books/index.html", "visits</p>", "calls</p>")
        site.comes("calls</p>")
        library.write("templates/books/index.html", "{% load i18n %}a nearer template, {{ title }}")
        site.comes("a nearer template")
        library.write("locale/de/LC_MESSAGES/django.mo", catalogue({"Library": "Bibliothek"}))
        while "Bibliothek" not in site.get(headers=german).text:
            pass
        assert site.told()["pid"] == pid
        library.edit("books/views.py", '"version": 1', '"version": 2')
        site.comes('"version": 2', "/process/")
        library.edit("books/models.py", "max_length=100", "max_length=0")
        site.comes("must be a positive integer")
        library.edit("books/models.py", "max_length=0", "max_length=100")
        site.comes("a nearer template")
        site.process.signal(signal.SIGINT)
        assert site.process.wait() == 0
