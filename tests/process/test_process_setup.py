"""What a process sets for itself: its title in the process list, environment variables."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.helpers.processes import printed_by

TITLE = """
from fastwsgi.process import process_setup
from fastwsgi.settings.settings import Settings
process_setup.set_title("worker", Settings())
print(repr(open("/proc/self/cmdline").read()))
"""


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
def test_title() -> None:
    pytest.importorskip("setproctitle")
    assert printed_by(TITLE).rstrip("\0") == "fastwsgi: worker"


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
def test_title_without_setproctitle() -> None:
    assert printed_by("import sys; sys.modules['setproctitle'] = None\n" + TITLE).startswith(sys.executable)


def test_environment() -> None:
    code = """
import os
from fastwsgi.process.process_setup import set_environment
from fastwsgi.settings.settings import Settings
set_environment(Settings(env=["FASTWSGI_A=b=c", "FASTWSGI_EMPTY="]))
print([os.environ["FASTWSGI_A"], os.environ["FASTWSGI_EMPTY"]])
"""
    assert printed_by(code) == ["b=c", ""]
