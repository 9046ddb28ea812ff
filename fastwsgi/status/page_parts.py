"""What stands below the tables of the page: refusals, events, counters, settings, certificates, and who serves."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from fastwsgi.status.page_text import clock, count, date, duration, lines, mark, moment, shown, size
from fastwsgi.status.snapshot import Event, Snapshot
from fastwsgi.status.verdict import CERTIFICATE_NOW, CERTIFICATE_SOON, ends

MOST_EVENTS = 50
MOST_DETAILS = 60_000  # characters of all details together
LONGEST_DETAILS = 16_000  # characters
MOST_SETTINGS = 200
REFUSED = {"none": "closed without an answer", "other": "other codes"}


def facts(pairs: Iterable[tuple[str, str]], empty: str) -> str:
    """Names with values, both HTML; *empty* if there are none."""
    rows = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs)
    return f"<dl>{rows}</dl>" if rows else f'<div class="scroll"><p class="none">{empty}</p></div>'


def section(name: str, title: str, content: str, note: str = "") -> str:
    """*content* under its heading."""
    beside = f' <span class="note">{note}</span>' if note else ""
    return f'<section id="{name}"><h2>{title}{beside}</h2>{content}</section>'


def refusals(snapshot: Snapshot) -> str:
    """Requests and connections that the server itself refused, by code and peer."""
    by_code = [(_code(code), count(number)) for code, number in sorted(snapshot.refused.items()) if number]
    peers = [(f"<bdi>{shown(peer, 80)}</bdi>", count(number)) for peer, number in snapshot.refused_peers.items()]
    return section("refused", "Refused", facts(by_code, "Nothing was refused."), "by code, since the start") + section(
        "peers", "Refused lately", facts(peers, "Nobody was refused in the last minute."), "by peer, in the last minute"
    )


def _code(code: str) -> str:
    if code in REFUSED:
        return REFUSED[code]
    try:
        return f"{code} {HTTPStatus(int(code)).phrase}"
    except ValueError:
        return shown(code, 20)


def counters(snapshot: Snapshot) -> str:
    """What else was counted since the start, apart from what is 0 and had better stay so."""
    rare = {
        **{f"timeouts: {kind}": number for kind, number in snapshot.timeouts.items()},
        "queue full": snapshot.queue_full,
        "application errors": snapshot.application_errors,
        "clients that left": snapshot.abandoned,
        "log lines dropped": snapshot.lines_dropped,
        **{f"logged: {level}": number for level, number in snapshot.logged.items()},
        **{f"worker starts: {reason}": number for reason, number in snapshot.starts.items()},
        **{f"reloads: {result}": number for result, number in snapshot.reloads.items()},
    }
    always = [
        *((f"answers {kind}", count(one.count)) for kind, one in snapshot.durations.items()),
        ("connections", count(snapshot.accepted)),
        ("received", size(snapshot.received)),
        ("sent", size(snapshot.sent)),
    ]
    some = [(shown(name), count(number)) for name, number in rare.items() if number]
    return section("counters", "Counted", facts([*always, *some], ""), "since the start")


def events(snapshot: Snapshot) -> str:
    """What has happened, the newest first."""
    newest = snapshot.told.events[::-1][:MOST_EVENTS]
    room = MOST_DETAILS
    items: dict[str, str] = {}  # by their names in the page
    for one in newest:
        details = lines(one.details, LONGEST_DETAILS) if len(one.details) <= room else ""
        room -= len(details)
        name = f"e{one.at * 1e6:.0f}-{one.pid}"
        while name in items:
            name += "-"
        items[name] = _event(one, name, details, snapshot.at)
    if not items:
        return section("events", "Events", '<div class="scroll"><p class="none">None yet.</p></div>')
    return section("events", "Events", f'<ol class="events">{"".join(items.values())}</ol>', "the newest first")


def _event(event: Event, name: str, details: str, now: float) -> str:
    folded = f'<details><summary>more</summary><pre tabindex="0">{details}</pre></details>' if details else ""
    level, shape = (" bad", mark("bad")) if event.is_bad else ("", '<span class="mark"></span>')
    return (
        f'<li id="{name}">{moment(event.at, now)}<span class="kind{level}">{shape}{shown(event.kind, 30)}</span>'
        f'<div class="text">{shown(event.text)}{folded}</div></li>'
    )


def settings(snapshot: Snapshot) -> str:
    """Those that differ from their defaults."""
    pairs = list(snapshot.told.settings.items())[:MOST_SETTINGS]
    rows = [(f'<span class="mono">{shown(name, 80)}</span>', f'<span class="mono">{shown(value, 400)}</span>')
            for name, value in pairs]
    return section("settings", "Settings", facts(rows, "All have their defaults."), "that differ from their defaults")


def certificates(snapshot: Snapshot) -> str:
    """When the certificates end; "" without any."""
    if not snapshot.certificates:
        return ""
    rows = []
    for one in sorted(snapshot.certificates, key=lambda one: one.not_after):
        left = one.not_after - snapshot.at
        level = "bad" if left < CERTIFICATE_NOW else "warn" if left < CERTIFICATE_SOON else "ok"
        when = f'<span title="{date(one.not_after)}">{mark(level)}{ends(one, snapshot.at)}</span>'
        rows.append((f"<bdi>{shown(one.name, 200)}</bdi>", when))
    return section("certificates", "Certificates", facts(rows, ""))


def head(snapshot: Snapshot) -> str:
    """What is served, where, and when this was."""
    told = snapshot.told
    name = f"<b>{shown(told.name or 'fastwsgi', 200)}</b>"
    urls = "".join(f'<span class="note wide">{shown(url, 200)}</span>' for url in told.urls[:8])
    up = duration(max(0.0, snapshot.at - snapshot.since))
    return f'<header class="head">{name}{urls}<span class="clock note">at {clock(snapshot.at)}, up {up}</span></header>'


def footer(snapshot: Snapshot) -> str:
    """Version, build and other views."""
    build = {"c": "compiled", "py": "pure Python"}.get(snapshot.build, snapshot.build)
    said = (
        f"fastwsgi {shown(snapshot.version)} ({shown(build)})",
        f"Python {shown(snapshot.python)}",
        f"supervisor {snapshot.supervisor}",
        f"since {date(snapshot.since)}",
    )
    links = "".join(f'<a href="{path}">{path}</a>' for path in ("status.json", "metrics", "stacks", "livez", "readyz"))
    return f'<footer>{"".join(f"<span>{one}</span>" for one in said)}{links}</footer>'
