"""Nothing grows with the number of requests: memory, objects, file descriptors, cycles. See isolated/leaks.py.

The long form is ci/leaks.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.helpers.processes import ISOLATED, running

KINDS = {
    "hello": "the least",
    "pipelined": "the same, many at once",
    "browser": "many fields",
    "post": "a body of known length",
    "head": "no body",
    "missing": "404",
    "continue": "100 before the body",
    "vary": "every request with other fields",
    "upload": "chunked bodies in memory",
    "spooled": "chunked bodies in a file",
    "generator": "a stream",
    "write": "by write()",
    "file": "by sendfile",
    "hints": "103 before the response",
    "failing": "500, the exception holds environ",
    "breach": "a header that is refused",
    "midway": "cut responses",
    "refused": "400",
    "close": "a connection for each",
    "left": "clients that leave at all points",
    "aborted": "... in the body",
    "reset": "... by a reset",
}
RESIDENT = 1 << 20  # bytes that the allocators may take for themselves


@pytest.mark.measures_memory
@pytest.mark.parametrize("kinds", [list(KINDS)[:12], list(KINDS)[12:]], ids=["bodies", "ends"])
def test_nothing_grows(build: SimpleNamespace, tmp_path: Path, kinds: list[str]) -> None:
    path = tmp_path / "hello"
    path.write_bytes(b"hello")
    grown = []
    with running([str(ISOLATED / "leaks.py"), str(path), "few", *kinds], build.name) as process:
        for _ in kinds:
            report = json.loads(process.line("^{.*}$", patience=120)[0])
            lost = report["blocks"] > report["requests"] / 20 or report["resident"] > RESIDENT
            if lost or report["descriptors"] or report["garbage"]:
                grown.append(report)
    assert grown == []
