"""Monitors of threads whose verdicts are the test's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest


def plant(build: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The class of the monitors of *build* from now on.

    Its *calm* is their verdict, and no call is stuck unless *hands_on*.
    """
    kind = build.monitor.Monitor

    class Planted:
        calm: Any = True
        hands_on = True

        def __init__(self, *arguments: Any) -> None:
            self.monitor = kind(*arguments)

        @property
        def stuck_call(self) -> int:
            return int(self.monitor.stuck_call) if self.hands_on else 0

        def __getattr__(self, name: str) -> Any:
            return getattr(self.monitor, name)

    monkeypatch.setattr(build.monitor, "Monitor", Planted)
    return Planted
