"""A GIL that comes after the start: an interpreter without one switches it on for a module that wants it (PEP 703).

Several loops are then served on, but one at a time. Python warns of the module by its name, and only the server knows
what that means for it.
"""

from __future__ import annotations

from typing import Callable

from fastwsgi import gil


class LateGil:
    """Logs, once, that the GIL has come.

    Args:
        loops: of this process.
        log: called with the line.
    """

    def __init__(self, loops: int, log: Callable[[str], None]) -> None:
        self._loops = loops
        self._log = log
        self._reported = False

    def tick(self) -> None:
        """Look whether it has."""
        if not self._reported and gil.is_on():
            self._reported = True
            self._log(
                f"the {self._loops} loops of this process take turns: a module that is not declared ready for Python "
                "without a GIL has switched it on; a RuntimeWarning of Python's names the module. Get a release of it "
                "that is ready, or serve with --workers auto; PYTHON_GIL=0 keeps the GIL off, at your own risk"
            )
