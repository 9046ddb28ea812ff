"""The states of a connection and its places, with every transition between them.

    state        waits for
    idle         the first byte of another request
    head         the rest of a request head; a new connection begins here
    body         the rest of a request body
    queued       a thread that may run the application
    running      the application
    sending      the client, to read a response or several gathered ones
    interim      the client, to read "100 Continue" and what comes before it; then a request body
    ending       the client, to read the last response
    lingering    the client, to close
    closed       nothing

The state is the stage of the conversation. The place says which thread may touch the connection:

    loop         the loop's thread: events and deadlines concern it
    owed         the loop's thread, which owes it a turn: it can go on without an event, after the other connections
    detached     the one thread that serves it, or none while it queues for one; the loop leaves it alone

The transitions are asserted at every step in pure Python and in a build with assertions; tests walk through them.
"""

from __future__ import annotations

IDLE = "idle"
HEAD = "head"
BODY = "body"
QUEUED = "queued"
RUNNING = "running"
SENDING = "sending"
INTERIM = "interim"
ENDING = "ending"
LINGERING = "lingering"
CLOSED = "closed"

LOOP = "loop"
OWED = "owed"
DETACHED = "detached"

# state -> event -> the state that follows. In addition, "close" leads from each to CLOSED
STATES: dict[str, dict[str, str]] = {
    IDLE: {
        "part of a head": HEAD,
        "head before a body": BODY,
        "no thread free": QUEUED,
        "call": RUNNING,
        "blocked": SENDING,
        "last": ENDING,
        "refused": ENDING,
        "refused by the transport": LINGERING,
    },
    HEAD: {
        "head before a body": BODY,
        "no thread free": QUEUED,
        "call": RUNNING,
        "blocked": SENDING,
        "last": ENDING,
        "refused": ENDING,
        "refused by the transport": LINGERING,
    },
    BODY: {
        "no thread free": QUEUED,
        "call": RUNNING,
        "blocked": INTERIM,
        "refused": ENDING,
        "refused by the transport": LINGERING,
    },
    QUEUED: {"call": RUNNING},
    RUNNING: {"pause": SENDING, "end": IDLE, "last": ENDING},
    SENDING: {"call": RUNNING, "sent": IDLE},
    INTERIM: {"sent": BODY},
    ENDING: {"sent": LINGERING},
    LINGERING: {},
    CLOSED: {},
}

# place -> event -> the place that follows
PLACES: dict[str, dict[str, str]] = {
    LOOP: {"watch": LOOP, "go on later": OWED, "detach": DETACHED},
    OWED: {"its turn": LOOP},
    DETACHED: {"watch": LOOP, "go on later": OWED},
}


def follows(state: str, event: str, successor: str) -> bool:
    """Whether *event* leads from *state* to *successor*."""
    if event == "close":
        return state != CLOSED and successor == CLOSED
    return STATES[state].get(event) == successor


def moves(place: str, event: str, successor: str) -> bool:
    """Whether *event* leads from *place* to *successor*."""
    return PLACES[place].get(event) == successor
