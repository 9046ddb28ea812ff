"""A plugin for pytest: forget what the thread of a test has left locked, such as the guard of a loop that it was."""

from __future__ import annotations

import _thread

from sitecustomize import held


def pytest_runtest_logfinish() -> None:
    held.pop(_thread.get_ident(), None)
