"""Holds what came of a case against what the case expects and what its rule leaves to a server.

A refusal is any 4xx or 5xx that the application was not asked for, or the end of the connection: a server may close one
at any time (RFC 9112 9.5), and what counts is that the request was not served. A server that calls the application
before the body is there refuses by letting its reading fail.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from tests.helpers.cases import Case, Expected, read_fact

from .rules import CHOICE, LENIENT, OK, SMUGGLING, WRONG, Finding, Rule
from .session import Gone, Record, Session
from .talk import Reply, Talk

NEXT = b"GET /next HTTP/1.1\r\nHost: next\r\nConnection: close\r\n\r\n"
WAITS = 0.3  # seconds in which a server should not answer what is not whole
# Facts of the cases that are ours, or those of a server in memory
OURS = {"RAW_URI", "REQUEST_URI", "REMOTE_ADDR", "REMOTE_PORT", "SERVER_SOFTWARE", "text", "whole"}
OURS |= {"wsgi.input_terminated", "wsgi.file_wrapper", "wsgi.early_hints", "HTTP_TRANSFER_ENCODING"}
OF_THE_PLACE = {"SERVER_NAME", "SERVER_PORT", "wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once"}


def judge(rule: Rule, case: Case, session: Session) -> Finding:
    """Play *case*. What fails is tried again with more patience, and once more if that changes it."""
    found = [play(rule, case, session)]
    if found[0].verdict != OK or "silent" in found[0].told:
        with session.waiting(3):
            found.append(play(rule, case, session))
            if found[0] != found[1]:
                found.append(play(rule, case, session))
    return found[-1]


def play(rule: Rule, case: Case, session: Session) -> Finding:
    follow = b"" if case.ends or case.outcome == "wait" else NEXT
    answers = sum(one.status >= 200 for one in case.expected)
    patience = WAITS if case.outcome == "wait" else session.patience
    try:
        found, stray, records, talk = session.ask(
            *case.sent, follow=follow, answers=answers, patience=patience, ends=case.ends
        )
    except Gone as error:
        return Finding(WRONG, str(error))
    return Seen(rule, case, found, stray, records, talk).finding(session.server.ours)


class Seen:
    """What came of one case."""

    def __init__(
        self, rule: Rule, case: Case, found: list[Reply], stray: bytes, records: list[Record], talk: Talk
    ) -> None:
        self.rule, self.case, self.found, self.stray, self.talk = rule, case, found, stray, talk
        self.asked = [record for record in records if not is_next(record)]
        self.next_served = len(self.asked) < len(records)
        self.wanted = [one for one in case.expected if one.status == 200]
        self.refusal = next((one for one in case.expected if one.status >= 400), None)
        self.statuses = [reply.status for reply in found]

    def finding(self, ours: bool) -> Finding:
        finding = self.by_the_rule()
        if finding.verdict == OK and ours:
            return self.exactly() or finding
        return Finding(OK, finding.told) if self.rule.demand == CHOICE and not ours else finding

    def exactly(self) -> Finding | None:
        """What we expect of ourselves: these statuses and no others."""
        statuses = self.statuses[:-1] if self.next_served and self.case.outcome != "close" else self.statuses
        wanted = [one.status for one in self.case.expected if not one.optional or one.status in statuses]
        return None if statuses == wanted else Finding(WRONG, f"{listed(statuses)}, not {listed(wanted)}")

    def by_the_rule(self) -> Finding:
        if self.stray:
            kind = "stray" if self.found else "no HTTP"
            return Finding(SMUGGLING if self.found and self.next_served else WRONG, f"{kind}: {self.stray[:12]!r}")
        if self.case.outcome == "wait":
            return self.waits()
        count, wanted = len(self.asked), len(self.wanted)
        if count > wanted + (self.refusal is not None):
            return Finding(SMUGGLING, f"{count} requests seen")
        if count < wanted and self.skipped():
            return Finding(SMUGGLING, f"{wanted - count} of {wanted} lost, and went on")
        for expected, record in zip(self.wanted, self.asked):
            difference = differs(expected, record, self.case)
            if difference.startswith("reading") and "refused" in self.rule.leaves:
                return Finding(OK, "reading fails")
            if difference:
                return self.misread(difference)
        if count > wanted:
            return self.served_what_we_refuse()
        return self.refused() if self.refusal is not None and count == wanted else self.served(wanted - count)

    def skipped(self) -> bool:
        """Whether something behind the first request was served, and that was not."""
        first = self.case.sent[0].split(b" ")[1].decode("latin-1")
        if not self.asked:
            return self.next_served and not self.refusals()
        return self.asked[0]["environ"].get("PATH_INFO") != first.split("?")[0]

    def graded(self, severity: str, told: str) -> Finding:
        """A breach can only smuggle where the connection goes on behind it; else chunks misread are a body misread."""
        swallowed = any("GET /ne" in record.get("body", "") for record in self.asked)
        parsed = len(self.asked) > 0 and any(status >= 400 for status in self.statuses)
        if severity == SMUGGLING and not (self.next_served or swallowed or parsed):
            chunked = b"chunked" in b"".join(self.case.sent).lower()
            return Finding(WRONG if chunked else LENIENT, f"{told}, closed")
        return Finding(severity, told + (f"; the rest {listed(self.refusals())}" if parsed else ""))

    def refusals(self) -> list[int]:
        return [status for status in self.statuses if status >= 400]

    def misread(self, difference: str) -> Finding:
        if difference.startswith("body") and self.refusals():
            return self.graded(SMUGGLING, f"served, {difference}")
        verdict = self.rule.unless(self.asked) if "served" in self.rule.leaves else self.rule.severity
        return self.graded(verdict, f"served, {difference}")

    def served_what_we_refuse(self) -> Finding:
        bad = self.asked[-1]
        told = "served" + (f", body {bad['body'][:12]!r}" if bad.get("length") else "")
        if self.next_served and (self.rule.closes or bad.get("error")):
            return Finding(SMUGGLING, f"{told}, and went on")
        if bad.get("error"):
            return Finding(OK, "reading fails")
        if "served" in self.rule.leaves:
            verdict = self.rule.unless(self.asked)
            return self.graded(verdict, told if verdict == OK else f"{told}, unmended")
        return self.graded(self.rule.severity, told)

    def refused(self) -> Finding:
        refusals = self.refusals()
        if self.next_served and (self.rule.closes or not refusals):
            return Finding(SMUGGLING, f"{listed(refusals) or 'no answer'}, and went on")
        if refusals:
            return Finding(OK, str(refusals[0]))
        if self.talk.end:
            return Finding(OK, "closed")
        return Finding(OK if "silent" in self.rule.leaves else WRONG, "silent")

    def served(self, missing: int) -> Finding:
        refusals = self.refusals()
        if missing:
            return self.missing(refusals)
        if self.rule.closes and self.next_served and self.case.outcome == "close":
            return Finding(self.rule.severity, "served, and went on")
        if self.case.outcome == "open" and not self.next_served:
            if refusals:
                return Finding(SMUGGLING, f"served, then {refusals[0]} for the next")
            if not self.talk.end:
                return Finding(WRONG, "served, the next silent")
        answered = sum(200 <= status < 300 for status in self.statuses)
        if answered < len(self.wanted) and not self.case.ends and self.talk.end != "reset":
            return Finding(WRONG, f"{len(self.wanted)} seen, {answered} answered")
        kept = self.next_served or self.case.outcome != "open"
        return Finding(self.rule.unless(self.asked), "served" if kept else "served, closed")

    def missing(self, refusals: list[int]) -> Finding:
        """Something that we serve did not reach the application."""
        if "refused" in self.rule.leaves and (refusals or self.talk.end):
            return Finding(OK, listed(refusals) or "closed")
        if refusals:
            return Finding(WRONG, listed(refusals))
        if self.talk.end and self.asked and len(self.wanted) > 1:
            return Finding(OK, f"closed after {len(self.asked)} of {len(self.wanted)}")
        return Finding(WRONG, "closed" if self.talk.end else "silent")

    def waits(self) -> Finding:
        if len(self.asked) > len(self.wanted):
            return Finding(self.rule.severity if "served" not in self.rule.leaves else OK, "served")
        if self.refusals() or self.talk.end:
            return Finding(WRONG if "refused" not in self.rule.leaves else OK, listed(self.statuses) or "closed")
        return Finding(OK, "waits")


def is_next(record: Record) -> bool:
    """Whether it is of the request that follows a probe, as it was sent."""
    environ = record["environ"]
    return (environ.get("REQUEST_METHOD"), environ.get("PATH_INFO")) == ("GET", "/next")


def listed(statuses: list[int]) -> str:
    return " ".join(map(str, statuses))


def differs(expected: Expected, record: Record, case: Case) -> str:
    """What the application saw otherwise than it should have; "" if nothing."""
    chunked = b"transfer-encoding" in b"".join(case.sent).lower()
    for text in expected.facts:
        fact = read_fact(text)
        if fact.of_response or fact.name in OURS or (chunked and fact.name == "CONTENT_LENGTH"):
            continue
        if fact.name == "body":
            body = (fact.value or "").encode("latin-1")
            if record.get("error"):
                return f"reading: {record['error']}"
            if record.get("hash") != hashlib.sha256(body).hexdigest():
                return f"body {record.get('body', '')[:12]!r} of {record.get('length')}"
            continue
        found = record["environ"].get(fact.name)
        if fact.name in OF_THE_PLACE:
            if not found:
                return f"{fact.name} absent"
        elif not alike(fact, found):
            return f"{fact.name[:24]} {'absent' if found is None else repr(found[:24])}"
    return ""


def alike(fact: Any, found: str | None) -> bool:
    """Empty and absent are one for CGI; values of several fields may be joined with or without a space."""
    if fact.absent:
        return not found
    if fact.value is None:
        return bool(found)
    if fact.name == "PATH_INFO" and fact.value == "/" and found == "":
        return True  # an empty path is equivalent to "/" (RFC 9110 4.2.3)
    return re.sub(r" ?, ?", ",", found or "") == re.sub(r" ?, ?", ",", fact.value)


def no_raw(characters: str, severity: str = LENIENT) -> Any:
    """For Rule.unless: none of these characters came through as it is."""

    def unless(records: list[Record]) -> str:
        texts = [text for record in records for item in record["environ"].items() for text in item]
        return severity if any(character in text for text in texts for character in characters) else OK

    return unless


def not_split(*names: str, raw: str = "\r\n") -> Any:
    """For Rule.unless: no such field came of it, which would be a line read where there is none."""

    def unless(records: list[Record]) -> str:
        if any(name in record["environ"] for record in records for name in names):
            return SMUGGLING
        verdict: str = no_raw(raw)(records)
        return verdict

    return unless
