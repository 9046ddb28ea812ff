"""Accounts: what clients, proxy and applications say of the same requests, held against each other.

A request is lost if its client did not get a 200; doubled if it is a POST that an
application began with more than once. An answer
that nobody's record explains, or a record that is nobody's request, is a fault of the accounts themselves.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ci.fleet_parts.clients import ENDED, Outcome

PROXIED = re.compile(r"(GET|POST) (/\d+/\d+(?:/slow)?)(?: HTTP/1\.1)? (\d+|-1) (.*)")
RECORDED = re.compile(r"(GET|POST) (/\d+/\d+(?:/slow)?)")


@dataclass
class Account:
    """The sum of one scenario.

    Attributes:
        requests: how many were made.
        lost: what their clients saw instead of a 200, and how often.
        lost_gets, closed, done: of the lost ones GET requests, those whose connection ended before any application
            had begun with them, and those that one had begun with.
        doubled, repeated: POST and GET requests that an application, or two, began with more than once.
        p99: ms that 99 % of the answers did not exceed.
        gap: seconds, the longest time in which no client got an answer.
        faults: what does not add up.
    """

    requests: int
    lost: Counter[str]
    lost_gets: int
    closed: int
    done: int
    doubled: int
    repeated: int
    p99: float
    gap: float
    faults: list[str] = field(default_factory=list)

    def told(self) -> str:
        """What was seen in place of answers."""
        seen = ", ".join(f"{count} x {what}" for what, count in self.lost.most_common(4))
        return f"{seen} ({self.lost_gets} GET; the application had begun with {self.done})"

    def __str__(self) -> str:
        told = f" ({self.told()})" if self.lost else ""
        figures = f"{self.doubled} doubled, {self.repeated} GET repeated, p99 {self.p99:.0f} ms, longest gap {self.gap:.2f} s"  # noqa
        return f"{self.requests} requests, {sum(self.lost.values())} lost{told}, {figures}"


def balance(outcomes: dict[str, Outcome], proxy_log: Iterable[str] | None, records: Iterable[Path]) -> Account:
    """The account of *outcomes*, against the lines of the proxy's log (None: it knows of no requests) and *records*."""
    begun = Counter(
        match[2] for path in records for line in path.read_text().splitlines() if (match := RECORDED.fullmatch(line))
    )
    answered = {target: one for target, one in outcomes.items() if one.status == 200}
    lost = {target: one for target, one in outcomes.items() if one.status != 200}
    times = sorted(one.ended for one in answered.values())
    seconds = sorted(one.ended - one.began for one in answered.values())
    account = Account(
        len(outcomes),
        Counter(str(one.status or one.why) for one in lost.values()),
        sum(one.method == "GET" for one in lost.values()),
        sum(one.why.startswith(ENDED.format("")) and target not in begun for target, one in lost.items()),
        sum(target in begun for target in lost),
        sum(count > 1 and outcomes[target].method == "POST" for target, count in begun.items() if target in outcomes),
        sum(count > 1 and outcomes[target].method == "GET" for target, count in begun.items() if target in outcomes),
        seconds[int(len(seconds) * 0.99)] * 1000,
        max(later - before for before, later in zip(times, times[1:])),
    )
    _check(account, "an application never began with", [target for target in answered if target not in begun])
    _check(account, "no client sent", [target for target in begun if target not in outcomes])
    if proxy_log is not None:
        _check_proxy(account, outcomes, [match for line in proxy_log if (match := PROXIED.search(line))])
    return account


def unlogged(targets: Iterable[str], log: str) -> set[str]:
    """Which of *targets* have no line in the proxy's log."""
    return set(targets) - {match[2] for match in PROXIED.finditer(log)}


def _check(account: Account, what: str, targets: list[str]) -> None:
    if targets:
        account.faults.append(f"{what} {len(targets)}, such as {targets[0]}")


def _check_proxy(account: Account, outcomes: dict[str, Outcome], lines: list[re.Match[str]]) -> None:
    """Each answer has one line in the proxy's log, with the status that the client saw."""
    statuses: dict[str, list[int]] = {}
    for line in lines:
        statuses.setdefault(line[2], []).append(int(line[3]))
    wrong = [target for target, one in outcomes.items() if one.status and statuses.get(target) != [one.status]]
    _check(account, "the proxy's log has not the status of", wrong)
    _check(account, "the proxy's log has, of nobody,", [target for target in statuses if target not in outcomes])
