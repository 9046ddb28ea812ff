"""Eight clients of a service behind a proxy, and what became of each of their requests.

Half of them keep their connection, half take a new one each time. Each in turn gets a page and sends an order that must
not be repeated; each eighth request takes a tenth of a second. No client repeats anything, and each request has a
target of its own, /CLIENT/NUMBER, by which it is found in the proxy's log and in the record of the application.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass

from ci.fleet_parts.machines import Machine
from tests.helpers.serving import PATIENCE, Client, Ended, request
from tests.helpers.traffic import Load

PAUSE = 0.004  # seconds between two requests of one client
SLOW_EACH = 8
ENDED = "connection {}"


@dataclass
class Outcome:
    """What became of one request.

    Attributes:
        method: GET or POST.
        status: of the whole answer; 0: there was none, and *why* says so.
        body: of an answer.
        began, ended: time.monotonic().
    """

    method: str
    began: float
    ended: float = 0.0
    status: int = 0
    body: str = ""
    why: str = ""


class Clients:
    """Clients on *machine* that ask *address*, from `with` on to its end.

    Attributes:
        outcomes: by target.
        answers: how many 200 came, by body.
    """

    def __init__(self, machine: Machine, address: str, port: int = 80, count: int = 8) -> None:
        self.machine = machine
        self.address = (address, port)
        self.outcomes: dict[str, Outcome] = {}
        self.answers: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._ending = False
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(count)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        self.more(100)
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    def end(self) -> None:
        """Let each client finish the request that it is at."""
        self._ending = True
        for thread in self._threads:
            thread.join(2 * PATIENCE)
            assert not thread.is_alive(), "a client hangs"

    def more(self, count: int) -> None:
        """Wait until *count* more requests are through."""
        with self._changed:
            goal = len(self.outcomes) + count
            assert self._changed.wait_for(lambda: len(self.outcomes) >= goal, PATIENCE), "no answers"

    def wait_for(self, body: str) -> None:
        """Wait until *body* is answered."""
        with self._changed:
            assert self._changed.wait_for(lambda: body in self.answers, PATIENCE), f"{self.answers}"

    def _run(self, number: int) -> None:
        self.machine.enter()
        keeps, sent = number % 2 == 0, 0
        while not self._ending:
            began = time.monotonic()
            try:
                client = Client(self.address)
            except OSError as error:
                sent += 1
                self._note(f"/{number}/{sent}", Outcome("GET", began, time.monotonic(), why=f"connect: {error}"))
                continue
            with client:
                while True:
                    sent += 1
                    goes_on = self._ask(client, number, sent, began) and keeps and not self._ending
                    time.sleep(PAUSE)
                    if not goes_on or Load.is_closed(client):
                        break
                    began = time.monotonic()

    def _ask(self, client: Client, number: int, sent: int, began: float) -> bool:
        """One request; whether the connection may be used again."""
        target = f"/{number}/{sent}" + ("/slow" if sent % SLOW_EACH == 0 else "")
        method = ("GET", "POST")[sent % 2]
        outcome = Outcome(method, began)
        try:
            answer = client.send(request(method, target, body=b"order" if method == "POST" else b"")).answer()
        except (Ended, OSError) as error:
            outcome.why = ENDED.format(client.end or error)
        else:
            outcome.status = answer.status if answer.whole else 0
            outcome.why = "" if answer.whole else "a part of an answer"
            outcome.body = answer.body.decode("latin-1").strip()
        outcome.ended = time.monotonic()
        self._note(target, outcome)
        return outcome.status == 200 and answer.get("Connection") != "close"

    def _note(self, target: str, outcome: Outcome) -> None:
        with self._changed:
            self.outcomes[target] = outcome
            self.answers[outcome.body] += outcome.status == 200
            self._changed.notify_all()
