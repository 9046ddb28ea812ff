"""A service as its operators see it: the metrics, the verdict, the page, `fastwsgi top` and the answers to probes."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any, Callable

from ci.scenarios.running import Missed
from tests.helpers.deployments import Deployment
from tests.helpers.serving import Client, request

PATIENCE = 20.0  # seconds in which a view tells at all
BOUND = 2.0  # seconds in which each has to
MARK = "<[^>]*>"


@dataclass(frozen=True)
class Signs:
    """What tells an incident, or its end, in each view: what is found there by a regular expression.

    Attributes:
        metric: in /metrics; it takes up the lines that tell, each with its value at the end.
        below: what the value of the metric is below.
        verdict: in its text, which is in /status.json, on the page, and at the top of `fastwsgi top`.
        readiness: in the status and text of a readiness probe, asked of the workers and at the status address.
        top: in `fastwsgi top --once`, besides the verdict.
    """

    metric: str
    verdict: str
    readiness: str
    top: str = ""
    below: float = math.inf


class Views:
    """All views of *server*; *kind* makes its clients."""

    def __init__(self, server: Deployment, kind: Callable[..., Client] = Client) -> None:
        found = server.line(r"status on http://([0-9.]+):([0-9]+)")
        self.status = found[1], int(found[2])
        self.server = server
        self.kind = kind

    def get(self, path: str) -> str:
        """What the status address answers: the status code and the body."""
        with Client(self.status) as client:
            answer = client.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()).answer()
        return f"{answer.status} {answer.body.decode()}"

    def metrics(self, signs: Signs) -> str:
        """The metric that tells, as it is now."""
        lines = re.findall(f"^{signs.metric}$", self.get("/metrics"), re.MULTILINE)
        return next((line for line in lines if float(line.rpartition(" ")[2]) < signs.below), "")

    def verdict(self, signs: Signs) -> str:
        """The verdict of /status.json."""
        document: dict[str, Any] = json.loads(self.get("/status.json").partition(" ")[2])
        text = str(document["verdict"]["text"])
        return text if re.search(signs.verdict, text) else ""

    def page(self, signs: Signs) -> str:
        """The verdict on the page."""
        text = re.sub(MARK, "", self.get("/"))
        found = re.search(signs.verdict.lstrip("^"), text)
        return found[0] if found else ""

    def top(self, signs: Signs) -> str:
        """What `fastwsgi top --once` prints."""
        address = f"{self.status[0]}:{self.status[1]}"
        command = [sys.executable, "-m", "fastwsgi", "top", "--once", address]
        text = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
        found = re.search(signs.top, text, re.MULTILINE) if re.search(signs.verdict, text) else None
        return found[0].strip() or text.partition("\n")[0] if found else ""

    def readiness(self, signs: Signs) -> str:
        """What a probe is told, at both places."""
        with self.kind(self.server.address) as client:
            answer = client.send(request(target="/readyz")).answer()
        told = f"{answer.status} {answer.body.decode()}".strip()
        return told if re.search(signs.readiness, told) and re.search(signs.readiness, self.get("/readyz")) else ""


@dataclass
class Told:
    """What a view told, and after how many seconds."""

    text: str
    seconds: float


def watch(views: Views, signs: Signs, began: float) -> dict[str, Told]:
    """Look until each view has told; what they told, by their names. Raises Missed if one does not."""
    left = {name: getattr(views, name) for name in ("metrics", "verdict", "page", "readiness", "top")}
    told: dict[str, Told] = {}
    while left:
        for name, look in list(left.items()):
            if text := look(signs):
                told[name] = Told(text, time.monotonic() - began)
                del left[name]
        if time.monotonic() > began + PATIENCE:
            raise Missed(f"{', '.join(left)} told nothing in {PATIENCE:.0f} s")
        time.sleep(0.02)
    return told
