"""All probes, in the order of the page: the cases of tests/http_cases under their rules, and those written here."""

from __future__ import annotations

from functools import cache

from tests.helpers.cases import Case, all_cases

from . import clients, failures, files, rules_body, rules_fields, rules_head, rules_wsgi, slow, wire
from .judge import judge
from .lines import LINES
from .rules import Finding, Probe, Rule
from .session import Session

RULES: list[Rule] = [*rules_head.RULES, *rules_fields.RULES, *rules_body.RULES, *rules_wsgi.RULES]


@cache
def cases() -> dict[str, Case]:
    """The cases by "file: name"."""
    return {f"{theme}: {case.name}": case for theme, case in all_cases()}


def of_case(rule: Rule, name: str) -> Probe:
    case = cases()[name]

    def run(session: Session) -> Finding:
        return judge(rule, case, session)

    return Probe(rule.line, rule.demand, rule.source, rule.severity, rule.title, name, run)


def probes() -> list[Probe]:
    """Sorted by section and line, and otherwise as they are written; those of time come last."""
    found = [of_case(rule, name) for rule in RULES for name in rule.cases]
    found += [*failures.probes(), *wire.PROBES, *files.PROBES, *clients.PROBES, *slow.PROBES]
    order = list(LINES)
    titles: dict[tuple[str, str, str], int] = {}
    for number, probe in enumerate(found):
        titles.setdefault((probe.line, probe.demand, probe.title), number)
    return sorted(found, key=lambda one: (order.index(one.line), titles[one.line, one.demand, one.title]))
