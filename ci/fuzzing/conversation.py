"""A connection that gets anything: any bytes in any pieces, a client slow to read, deadlines, early ends.

What is sent back is a sequence of strictly valid responses, one for each request that the application saw, in order,
and at most one refusal behind them. Scanner, compiled and pure build send the same and show the application the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from fastwsgi import backend
from tests.helpers.memory import Bench
from tests.helpers.responses import read_responses

from .choices import Choices, payload_and_choices, with_choices
from .samples import messages

SERVERS = (("c", True), ("c", False), ("py", False))
REFUSALS = (400, 408, 413, 414, 417, 421, 431, 501, 505)
LIMITS: list[dict[str, Any]] = [
    {},
    {"limit_request_body": 60, "spool_size": 20},
    {"limit_request_line": 40, "limit_request_fields": 4, "limit_request_field_size": 40},
]


class Outcome(NamedTuple):
    """What must be alike in all servers."""

    received: bytes
    seen: list[tuple[str, ...]]
    closed: bool
    reset: bool


def check(data: bytes) -> Any:
    """The last bytes of *data* say how it is cut, and what happens between the pieces."""
    sent, choices = payload_and_choices(data)
    outcomes = []
    for name, scanner in SERVERS:
        choices.at = 0
        outcomes.append(converse(name, scanner, sent, choices))
    assert outcomes[0] == outcomes[2], "scanner and pure build differ"
    assert outcomes[1] == outcomes[2], "compiled and pure build differ"
    verify(outcomes[0])
    return outcomes[0]


def converse(name: str, scanner: bool, sent: bytes, choices: Choices) -> Outcome:
    """One conversation, to its end."""
    seen: list[tuple[str, ...]] = []

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        body = environ["wsgi.input"].read()
        assert len(body) == int(environ.get("CONTENT_LENGTH") or 0)
        texts = [f"{key}={value}" for key, value in sorted(environ.items()) if isinstance(value, str)]
        seen.append((environ["REQUEST_METHOD"], repr(body), *texts))
        start_response("200 OK", [("X-Number", str(len(seen)))])
        pieces = [b"%d " % len(seen), body]
        return iter(pieces) if len(environ["PATH_INFO"]) % 2 else pieces

    limits = choices.pick(LIMITS)
    capacity = choices.pick([None, None, 7, 300])
    bench = Bench(backend.build(name), application, scanner=scanner, **limits)
    client = bench.connect(capacity=capacity)
    while sent and choices.more() and not client.closed:
        decision = choices.byte()
        if decision < 200:
            client.send(sent[: decision + 1])
            sent = sent[decision + 1 :]
        elif decision < 210:
            bench.pass_time(1.0 + 4 * (decision - 200))
        elif decision < 230 and capacity is not None:
            client.read(decision)
        else:
            client.send(sent[: 50 * (decision - 200)])
            sent = sent[50 * (decision - 200) :]
    if not client.closed:
        client.send(sent)
    if choices.byte() % 4 == 3:
        client.vanish()
    else:
        client.end()
        while client.is_awaited and capacity is not None:
            client.read(1000)
    assert client.closed, "the connection outlives its client"
    assert not bench.errors, bench.errors
    return Outcome(bytes(client.received), seen, client.closed, client.reset)


def verify(outcome: Outcome) -> None:
    """Each request was answered once, in order; at most one refusal ends it."""
    received = outcome.received
    methods = [one[0] for one in outcome.seen]
    if outcome.reset or not received.strip():
        return
    try:
        responses = read_responses(received, methods, outcome.closed)
    except AssertionError as error:
        if "no end of head" in str(error):  # the client went before it had read
            return
        raise
    finals = [one for one in responses if one.status >= 200]
    answers = [one for one in finals if one.field("X-Number")]
    refusals = [one for one in finals if not one.field("X-Number")]
    assert [one.field("X-Number") for one in answers] == [str(n + 1) for n in range(len(answers))]
    assert len(answers) <= len(outcome.seen)
    assert refusals == finals[len(answers) :], "an answer behind a refusal"
    assert len(refusals) <= 1
    for refusal in refusals:
        assert refusal.status in REFUSALS
        assert refusal.field("Connection") == "close"


def seeds() -> Iterator[bytes]:
    sent = messages()
    for number, message in enumerate(sent):
        yield with_choices(message + sent[number * 7 % len(sent)], bytes([number % 3, number % 4, *[number % 256] * 4]))
        yield with_choices(message, bytes([0, 0, *[number * 3 % 200, 205, number % 200, 255] * 3]))
