"""What tests/helpers/surroundings.py settles, in a process that was started as a background job or a CI runner's is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.processes import printed_by

CODE = """
import os, resource, signal
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])
resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
os.environ.update(PORT="x", FASTWSGI_WORKERS="x", FASTWSGI_BACKEND="py", http_proxy="x", HTTPS_PROXY="x", COLUMNS="9")
from tests.helpers import surroundings
surroundings.settle()
handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)]
assert handlers == [signal.default_int_handler, *[signal.SIG_DFL] * 3], handlers
assert signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN
assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 1024
print(sorted({"PORT", "FASTWSGI_WORKERS", "FASTWSGI_BACKEND", "http_proxy", "HTTPS_PROXY", "COLUMNS"} & {*os.environ}))
"""


def test_signals_variables_and_descriptors() -> None:
    assert printed_by(CODE) == ["FASTWSGI_BACKEND"]


@pytest.mark.parametrize(("name", "root"), [("long" * 20, "/tmp"), ("", "")], ids=["long", "short"])
def test_unix_sockets_fit_into_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, root: str) -> None:
    folder = tmp_path / name if name else Path("/tmp")
    folder.mkdir(exist_ok=True)
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.delenv("PYTEST_DEBUG_TEMPROOT", raising=False)
    code = "import os; from tests.helpers import surroundings; surroundings.settle()\n"
    assert printed_by(code + "print(repr(os.environ.get('PYTEST_DEBUG_TEMPROOT', '')))") == root
