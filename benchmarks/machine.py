"""Facts about the machine that a reader needs to judge the figures."""

from __future__ import annotations

import datetime
import os
import platform
import re
import subprocess
from pathlib import Path


def facts() -> dict[str, str]:
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": cpu_model(),
        "cores": str(os.cpu_count()),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "wrk": tool_version(["wrk", "-v"], r"wrk (?:\w+/)?([\w.-]+)"),
        "ab": tool_version(["ab", "-V"], r"Version ([\d.]+)"),
    }


def cpu_model() -> str:
    match = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    return match[1] if match else platform.machine()


def tool_version(command: list[str], pattern: str) -> str:
    """The version a load generator prints (wrk does so with exit status 1); "none" if it is missing."""
    try:
        printed = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return "none"
    match = re.search(pattern, printed.stdout + printed.stderr)
    return match[1] if match else "unknown"
