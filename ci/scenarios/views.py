"""A service as its operators see it: the metrics, the verdict, the page, `fastwsgi top` and the answers to probes."""

from __future__ import annotations

import html
import math
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Callable

from ci.scenarios.running import Missed
from tests.helpers.deployments import Deployment
from tests.helpers.serving import Client, request
from tests.helpers.status import STATUS, Status

PATIENCE = 20.0  # seconds in which a view tells at all
BOUND = 2.0  # seconds in which each has to
PAUSE = 0.05  # seconds between two looks


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
        found = server.line(STATUS)
        self.status = Status(server, (found[1], int(found[2])))
        self.server = server
        self.kind = kind

    def get(self, path: str) -> str:
        """What the status address answers: the status code and the body."""
        answer = self.status.get(path)
        return f"{answer.status} {answer.body.decode()}"

    def metrics(self, signs: Signs) -> str:
        """The metric that tells, as it is now."""
        lines = re.findall(f"^{signs.metric}$", self.get("/metrics"), re.MULTILINE)
        return next((line for line in lines if float(line.rpartition(" ")[2]) < signs.below), "")

    def verdict(self, signs: Signs) -> str:
        """The verdict of /status.json."""
        text = str(self.status.document()["verdict"]["text"])
        return text if re.search(signs.verdict, text) else ""

    def page(self, signs: Signs) -> str:
        """The verdict on the page, behind the mark that is the picture of its level."""
        found = re.search("<h1>(.*?)</p>", self.get("/"), re.DOTALL)
        text = html.unescape(re.sub("<[^>]*>", "", found[1])) if found else ""
        text = re.sub(r"^\W+", "", text)
        return text if re.search(signs.verdict, text) else ""

    def top(self, signs: Signs) -> str:
        """What `fastwsgi top --once` prints."""
        host, port = self.status.address
        command = [sys.executable, "-m", "fastwsgi", "top", "--once", f"{host}:{port}"]
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
    """What a view told, and after how many seconds it was asked for that."""

    text: str
    seconds: float


def watch(views: Views, signs: Signs, began: float) -> dict[str, Told]:
    """Look until each view has told; what they told, by their names. Raises Missed if one does not."""
    names = ("metrics", "verdict", "page", "readiness", "top")
    with ThreadPoolExecutor() as pool:
        told = dict(zip(names, pool.map(lambda name: _look(getattr(views, name), signs, began), names)))
    if silent := [name for name in names if not told[name].text]:
        raise Missed(f"{', '.join(silent)} told nothing in {PATIENCE:.0f} s")
    return told


def _look(look: Callable[[Signs], str], signs: Signs, began: float) -> Told:
    """Look until there is a text, or patience ends."""
    while True:
        asked = time.monotonic()
        if (text := look(signs)) or asked > began + PATIENCE:
            return Told(text, asked - began)
        time.sleep(PAUSE)
