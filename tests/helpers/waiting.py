"""Waits for what another thread or process brings about."""

from __future__ import annotations

import select
import time
from typing import Callable

from tests.helpers.serving import PATIENCE


def until(condition: Callable[[], object]) -> None:
    """Return once *condition* holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never held"
        select.select([], [], [], 0.001)
