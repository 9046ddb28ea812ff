"""Entries of the access log: handlers get gunicorn's atoms, and the line as it would be in a file."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi.observe import outputs
from fastwsgi.observe.entries import Entries
from fastwsgi.observe.error import access_log
from fastwsgi.observe.logs import Logs
from fastwsgi.observe.waiting import WaitingLines
from fastwsgi.process.salvage import Salvage
from fastwsgi.settings.settings import Settings
from tests.helpers.serving import answering, request, serving

FORMAT = '%(m)s %(U)s %(s)s %(b)s "%({X-Name}i)s" %({Content-Length}o)s %({thing.x}e)s 100%% \xe9\u2028'
FIELDS = [("X-Name", 'a\xffb"'), ("Referer", "http://here/")]


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found: list[Any] = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", found.append)
    monkeypatch.setattr(access_log, "handlers", [handler])
    monkeypatch.setattr(access_log, "level", logging.INFO)
    monkeypatch.setattr(access_log, "propagate", False)
    return found


def served(build: SimpleNamespace, **settings: Any) -> None:
    """Two requests, of which the second is refused."""
    logs = Logs(Settings(**{"access_log_format": FORMAT, **settings}), build)
    with serving(build, answering(b"hello"), logs.for_loop().observer) as server:
        server.ask(request("POST", "/caf%C3%A9?id=1", FIELDS, b"xyz"))
        server.ask(b"nonsense\r\n\r\n")
    logs.close()


def test_a_record_has_gunicorns_atoms(build: SimpleNamespace, tmp_path: Path, records: list[Any]) -> None:
    served(build, log_config={"version": 1})
    done, refused = records
    atoms = done.args
    assert {name: atoms[name] for name in "hlursmUqHbBfaTp"} == {
        "h": "127.0.0.1", "l": "-", "u": "-", "r": "POST /caf%C3%A9?id=1 HTTP/1.1", "s": "200", "m": "POST",
        "U": r"/caf\xc3\xa9", "q": "id=1", "H": "HTTP/1.1", "b": "5", "B": 5, "f": "http://here/", "a": "-", "T": 0,
        "p": f"<{os.getpid()}>",
    }  # fmt: skip
    assert re.fullmatch(r"\[.+ \+0000\]", atoms["t"])
    assert re.fullmatch(r"\d+\.\d{6}", atoms["L"])
    assert 0 <= atoms["M"] <= atoms["D"]
    assert atoms["{x-name}i"] == atoms["{X-NAME}i"] == r"a\xffb\x22"
    assert atoms["{content-length}o"] == "5"
    assert atoms["{thing.x}e"] == atoms["{nothing}i"] == atoms["nothing"] == "-"
    assert done.msg % done.args == done.getMessage()
    assert (refused.args["s"], refused.args["m"], refused.args["D"]) == ("400", "-", "-")
    served(build, access_logfile=str(tmp_path / "log"))
    assert (tmp_path / "log").read_text("utf-8") == f"{done.getMessage()}\n{refused.getMessage()}\n"


def test_lines_in_json_have_no_atoms(build: SimpleNamespace, records: list[Any]) -> None:
    served(build, access_log_format="json", log_config={"version": 1})
    assert len(records) == 2
    assert all(one.getMessage().startswith('{"timestamp"') and one.args["s"] == "-" for one in records)


def test_a_file_beside_the_handlers_has_the_lines(
    build: SimpleNamespace, tmp_path: Path, records: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(fd: int, data: bytes) -> int:
        return os.write(fd, data[:7])

    monkeypatch.setattr(outputs, "os", SimpleNamespace(write=write))
    served(build, access_logfile=str(tmp_path / "log"), log_config={"version": 1})
    assert [one.args["s"] for one in records] == ["200", "400"]
    assert (tmp_path / "log").read_text("utf-8") == "".join(f"{one.getMessage()}\n" for one in records)


def test_what_a_killed_worker_leaves(build: SimpleNamespace, tmp_path: Path, records: list[Any]) -> None:
    waiting = WaitingLines()
    settings = Settings(access_log_format=FORMAT, access_logfile=str(tmp_path / "log"), log_config={"version": 1})
    logs = Logs(settings, build, [waiting])
    with serving(build, answering(b"hello"), logs.for_loop().observer) as server:
        server.ask(request())
    assert logs.access is not None
    logs.access.disown()
    Salvage().take([waiting], settings)
    assert records[0].args["s"] == "200"
    assert (tmp_path / "log").read_text("utf-8") == f"{records[0].getMessage()}\n"


def test_lines_without_atoms_are_entries_too() -> None:
    """Such as those that waited when a new configuration added handlers."""
    ((message, atoms),) = Entries(None).read(b"no atoms\n")
    assert message % atoms == "no atoms"
    assert Entries(None).plain(b"no atoms\n") == b"no atoms\n"


def test_what_a_handler_fails_on_is_on_standard_error(
    build: SimpleNamespace, records: list[Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(access_log.handlers[0], "emit", lambda record: record.args["s"].missing)
    served(build, access_log_format="%(m)s %(s)s", log_config={"version": 1})
    assert capfd.readouterr().err.endswith("POST 200\n- 400\n")
