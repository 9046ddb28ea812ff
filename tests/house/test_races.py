"""ci/races.py: which of ThreadSanitizer's reports are of our code."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci import races

OURS = "/home/fastwsgi/_compiled.cpython-314t-x86_64-linux-gnu.so"
PYTHON = "/usr/bin/python3.14"
REPORT = f"""\
==================
WARNING: ThreadSanitizer: data race (pid=1)
  Write of size 8 at 0x7b0400000000 by thread T2:
    #0 INNER <null> (INNER_PLACE+0x1) (BuildId: 0)
    #1 outer build/cython/x.c:10:3 (OUTER_PLACE+0x2) (BuildId: 0)

  Previous read of size 8 at 0x7b0400000000 by main thread:
    #0 _PyEval_EvalFrameDefault Python/ceval.c:1 ({PYTHON}+0x3) (BuildId: 0)

  Thread T2 'pool' (tid=3, running) created by main thread at:
    #0 pthread_create <null> ({PYTHON}+0x4) (BuildId: 0)
    #1 start build/cython/x.c:20:3 ({OURS}+0x5) (BuildId: 0)

SUMMARY: ThreadSanitizer: data race build/cython/x.c:10:3 in outer
==================
"""


@pytest.mark.parametrize(
    ("inner", "inner_place", "outer_place", "code"),
    [("step", OURS, PYTHON, 1), ("memcpy", PYTHON, OURS, 1), ("dict_get", PYTHON, OURS, 0)],
    ids=["our access", "a function of C for us", "the interpreter"],
)
def test_whose_report_it_is(
    inner: str,
    inner_place: str,
    outer_place: str,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = REPORT.replace("INNER_PLACE", inner_place).replace("OUTER_PLACE", outer_place).replace("INNER", inner)
    for log in ("of.1", "of.2"):
        (tmp_path / log).write_text(report)
    monkeypatch.setattr("sys.argv", ["races.py", str(tmp_path)])
    assert races.main() == code
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"{code} distinct reports of our code; {0 if code else 2} of the interpreter's own"
