"""ci/lock_order.py: which locks are taken in both orders."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ci import lock_order

ROOT = Path(__file__).parents[2]
BEGIN = """
import threading as others
from fastwsgi.originals import threading
first = threading.Lock()
second = threading.RLock()
own = others.Lock()
"""
ONE_WAY = """
with first:
    with second:
        with second:  # it has that already
            pass
"""
OTHER_WAY = """
with second:
    with first:
        pass
"""
TRIED = """
with second:
    if first.acquire(blocking=False):
        first.release()
    if first.acquire(timeout=1):
        first.release()
"""
FORGOTTEN = """
gone = threading.RLock()
gone.acquire()
del gone
"""
OF_OTHERS = """
with second, own:
    pass
with own, second:
    pass
"""
FORKED = """
import os
second.acquire()
if os.fork() == 0:
    with first:
        os._exit(0)
assert os.wait()[1] == 0
"""
SIGNAL = """
first.acquire()
thread = threading.Thread(target=first.release)
thread.start()
thread.join()
"""
SIBLINGS = """
pair = [threading.Lock() for _ in range(2)]
with pair[0], pair[1]:
    pass
"""


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (ONE_WAY, 0),
        (ONE_WAY + OTHER_WAY, 1),
        (ONE_WAY + TRIED, 0),
        (ONE_WAY + FORGOTTEN, 0),
        (ONE_WAY + OF_OTHERS, 0),
        (ONE_WAY + FORKED, 0),
        (ONE_WAY + OTHER_WAY + SIGNAL, 0),
        (SIBLINGS, 1),
    ],
    ids=["one way", "both ways", "tried", "forgotten", "others' locks", "forked", "signal", "of one line"],
)
def test_which_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, code: int
) -> None:
    path = os.pathsep.join([str(ROOT / "ci" / "locks"), str(ROOT)])
    script, found = tmp_path / "script.py", tmp_path / "found"
    script.write_text(BEGIN + text)
    found.mkdir()
    environment = {**os.environ, "LOCK_ORDER": str(found), "PYTHONPATH": path}
    subprocess.run([sys.executable, "-W", "error::ResourceWarning", str(script)], env=environment, check=True)
    monkeypatch.setattr(sys, "argv", ["lock_order", str(found)])
    assert lock_order.main() == code
    assert ("script.py" in capsys.readouterr().out) is bool(code)


def test_a_run_without_notes_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["lock_order", str(tmp_path)])
    assert lock_order.main() == 1
