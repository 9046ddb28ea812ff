"""The page at the status address: one HTML document, in which the matter comes first and details last.

It is whole as the server renders it: `?refresh=2` has a browser without script load it every two seconds. With script,
page.js does that and changes what differs. The policy allows that script and page.css by their hashes, requests to
where the page came from, the icon in the page itself, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from urllib.parse import parse_qs, quote

from fastwsgi.status import page_parts, page_tables
from fastwsgi.status.history import WINDOW, History
from fastwsgi.status.page_text import mark, shown
from fastwsgi.status.page_tiles import tiles
from fastwsgi.status.snapshot import Snapshot
from fastwsgi.status.verdict import Finding, Verdict, judge

STYLE, SCRIPT = (Path(__file__).with_name(name).read_text("utf-8") for name in ("page.css", "page.js"))
LONGEST_REFRESH = 3600  # seconds


def _hash(text: str) -> str:
    """*text* as a source of a Content-Security-Policy (CSP3 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


POLICY = (
    f"default-src 'none'; script-src {_hash(SCRIPT)}; style-src {_hash(STYLE)}; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""The Content-Security-Policy of the page."""

SHAPES = {
    "ok": '<circle cx="8" cy="8" r="6.5" fill="#2da44e"/>',
    "warn": '<path d="M8 1 15.5 15H.5Z" fill="#e09b13"/>',
    "bad": '<path d="M1 1h14v14H1Z" fill="#d1242f"/>',
}
ICONS = {
    level: "data:image/svg+xml," + quote(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">{shape}</svg>')
    for level, shape in SHAPES.items()
}


def render(snapshot: Snapshot, history: History, query: str = "") -> bytes:
    """The page in UTF-8.

    Args:
        snapshot: what it shows.
        history: what was before.
        query: of the URL: refresh=SECONDS has it load anew by itself, without script.
    """
    verdict = judge(snapshot, history)
    name = snapshot.told.name or "fastwsgi"
    seconds = refresh_of(query)
    document = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{f'<meta http-equiv=refresh content={seconds}>' if seconds else ''}"
        f"<title>{verdict.word} · {shown(name, 80)}</title>\n"
        f'<link rel="icon" href="{ICONS[verdict.level]}">\n<style>{STYLE}</style>\n</head>\n<body>\n'
        f'{LOST}\n<main>{_main(snapshot, history, verdict)}</main>\n'
        f"{'' if seconds else NO_SCRIPT}</body>\n</html>\n"
    )
    return document.encode("utf-8", "backslashreplace")


LOST = '<p class="lost" id="lost" hidden><span role="status"></span> <span></span></p>'
NO_SCRIPT = (
    '<noscript><p class="lost">Without script this page stays as it is: <a href="?refresh=2">load it every 2 s</a></p>'
    f"</noscript>\n<script>{SCRIPT}</script>\n"
)


def refresh_of(query: str) -> int:
    """The seconds after which a page with that *query* is loaded anew; 0: it is not."""
    try:
        values = parse_qs(query, max_num_fields=10)
    except ValueError:
        return 0
    seconds = values.get("refresh", ["0"])[0]
    return min(int(seconds), LONGEST_REFRESH) if seconds.isdecimal() and len(seconds) < 10 else 0


def _main(snapshot: Snapshot, history: History, verdict: Verdict) -> str:
    rates, samples = history.rates(snapshot), history.with_now(snapshot)
    note = f'<span class="note">rates are over {WINDOW:.0f} s</span>'
    parts = (
        page_parts.head(snapshot),
        _verdict(verdict),
        f'<section id="lines"><h2>Last ten minutes {note}</h2>{tiles(snapshot, rates, samples)}</section>',
        f'<section id="workers">{page_tables.workers(snapshot, history.worker_rates(snapshot))}</section>',
        f'<section id="running">{page_tables.running(snapshot)}</section>',
        page_parts.events(snapshot),
        f'<div class="columns">{page_parts.refusals(snapshot)}{page_parts.certificates(snapshot)}'
        f"{page_parts.settings(snapshot)}{page_parts.counters(snapshot)}</div>",
        page_parts.footer(snapshot),
    )
    return "\n".join(parts)


def _verdict(verdict: Verdict) -> str:
    others = "".join(f"<li>{_finding(one)}</li>" for one in verdict.others)
    return (
        f'<section id="verdict" class="verdict level-{verdict.level}">'
        f'<h1>{mark(verdict.level)}<span role="status">{verdict.word}</span></h1> '
        f"<p>{shown(verdict.line)}</p>"
        f"{f'<ul>{others}</ul>' if others else ''}</section>"
    )


def _finding(finding: Finding) -> str:
    return f'{mark(finding.level)}<b class="{finding.level}">{finding.word}</b>: {shown(finding.line)}'
