"""--reload: a changed file restarts the workers, how soon says ci/faults.py; what cannot be loaded is on the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.deployments import SITE, deployed, starting
from tests.helpers.serving import Answer, Client, request


def page(address: tuple[str, int]) -> Answer:
    """What the server answers."""
    with Client(address) as client:
        return client.send(request().replace(b"Host: test", b"Host: localhost")).answer()


def test_a_change_a_mistake_and_its_mending(tmp_path: Path) -> None:
    with deployed(tmp_path, "py", workers=2, reload=True, chdir=str(tmp_path)) as server:
        server.workers(2)
        server.write(SITE.replace("one", "two"))
        server.comes(b"two")
        server.write("def app(:\n")
        server.line("SyntaxError")
        answer = page(server.address)
        while answer.status == 200:
            answer = page(server.address)
        assert answer.status == 500
        assert b"SyntaxError" in answer.body
        server.line("reloaded, but the application cannot be loaded")
        server.write(SITE.replace("one", "three"))
        server.comes(b"three")
        server.signal()
        assert server.wait() == 0


@pytest.mark.parametrize(("host", "warned"), [("0.0.0.0", True), ("[::]", True), ("127.0.0.1", False)])
def test_other_machines_get_a_warning(tmp_path: Path, host: str, warned: bool) -> None:
    settings = {"reload": True, "chdir": str(tmp_path), "bind": [f"{host}:0"]}
    with starting(tmp_path, "py", SITE, workers=1, **settings) as server:
        server.line("listening on")
    assert any("--reload is for development, and this address" in line for line in server.seen) == warned


def test_a_first_boot_with_a_mistake_waits_for_its_mending(tmp_path: Path) -> None:
    source = "import there_is_no_such_module"
    with deployed(tmp_path, "py", source, workers=1, reload=True, chdir=str(tmp_path)) as server:
        assert b"there_is_no_such_module" in page(server.address).body
        server.write(SITE)
        server.comes(b"one")
