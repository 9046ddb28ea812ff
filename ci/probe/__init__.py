"""What servers make of HTTP/1.1 and WSGI, rule by rule: probes of our own, run against fastwsgi and its peers alike.

    python -m ci.probe                                    all servers, into results.json and README.md here
    python -m ci.probe --servers fastwsgi,fastwsgi-pure   ours alone; exits with 1 if a probe fails

What is sent is mostly that of tests/http_cases, so that each rule stands in one place; the tables here add what the
RFCs leave to a server, and what a breach is good for. README.md tells how to read the results.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
