"""What applications do wrong: the table of http/test_application_faults.py, filled by the modules head and body.

A row is a function that gets start_response and does it, and what a client may see of it.
"""

from __future__ import annotations

from tests.helpers.faults import body, head  # fills the table
from tests.helpers.faults.table import CUT, ENDS, FAILED, FAULTS, Fault

__all__ = ["CUT", "ENDS", "FAILED", "FAULTS", "Fault", "body", "head"]
