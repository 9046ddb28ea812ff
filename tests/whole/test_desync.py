"""A selection of the hostile conversations, through nginx and HAProxy; ci/desync.py holds all of them."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from fastwsgi import backend
from fastwsgi.http import framing
from tests.helpers.hostile import conversations, judge_all
from tests.helpers.serving import request

EACH = 4  # one of so many conversations
QUICK = ("nginx tcp", "nginx unix", "haproxy tcp")
ALL = {source: found for source, found in conversations().items() if not source.startswith("http_cases")}

pytestmark = [
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed"),
    pytest.mark.skipif(shutil.which("haproxy") is None, reason="HAProxy is not installed"),
]


def test_proxies_and_server_agree(build: SimpleNamespace, tmp_path: Path) -> None:
    first = 0 if build.name == "c" else EACH // 2
    chosen = {source: some[first::EACH] for source, some in ALL.items()}
    for name, verdicts in judge_all(build, tmp_path, QUICK, chosen).items():
        assert verdicts.wrong == [], name
        assert verdicts.held > 30
        assert verdicts.requests > 2 * verdicts.held
        assert verdicts.connections < verdicts.requests / 3, "they are kept, and used by several clients"


@pytest.mark.parametrize("name", ["nginx unix", "haproxy tcp"])
def test_a_server_that_is_wrong_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Bodies are taken for requests."""
    monkeypatch.setattr(framing.Framing, "request_length", lambda *arguments: 0)
    body = request(target="/smuggled")
    chosen = {"here": [("a request in a body", [request("POST", "/a", body=body)])]}
    (verdicts,) = judge_all(backend.build("py"), tmp_path, [name], chosen).values()
    assert len(verdicts.wrong) == 1
