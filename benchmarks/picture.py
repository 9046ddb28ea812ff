"""The picture of the README: what a request costs each server, for three applications, as an SVG of bars.

It has its figures from results alone, and no other program draws it; so it is the same wherever it is made. In a dark
surrounding it has light text.
"""

from __future__ import annotations

from html import escape

from goals import GUNICORN, NO_PEERS, OURS
from results import Results
from tables import number

PANELS = {"hello": "“Hello world”", "flask": "Flask, JSON", "django": "Django, a form"}
TITLE = "CPU time for one request, server and framework, in µs"
WIDTH, TOP, ROW, NAMES, GAP = 780, 62, 20, 78, 14
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 14px } .head { font-weight: 600 } .ours text { font-weight: 600 }
rect { fill: #b6bdc6 } .ours rect { fill: #2da44e } .gunicorn rect { fill: #d1806f }
@media (prefers-color-scheme: dark) {
  text { fill: #d6dde5 } rect { fill: #57606a } .ours rect { fill: #3fb950 } .gunicorn rect { fill: #b5604e }
}
"""


def costs(results: Results, profile: str) -> list[tuple[float, str]]:
    """µs of CPU and server, the cheapest first; of ours the default alone, and none whose work is not comparable."""
    found = []
    for server in results.servers:
        cost = results.median(profile, server, "cpu_us")
        if cost and (server == OURS or server not in NO_PEERS) and results.comparable(profile, server):
            found.append((cost, server))
    return sorted(found)


def svg(results: Results) -> str:
    """The picture."""
    panels = {profile: costs(results, profile) for profile in PANELS if profile in results.profiles}
    height = TOP + ROW * max(map(len, panels.values()), default=0) + 8
    width = WIDTH / len(PANELS)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">',
        f"<style>{STYLE}</style>",
        f'<text class="title" x="0" y="18">{TITLE} (less is better)</text>',
    ]
    for index, (profile, rows) in enumerate(panels.items()):
        parts += panel(index * width, width - GAP, PANELS[profile], rows)
    return "\n".join([*parts, "</svg>", ""])


def panel(left: float, width: float, title: str, rows: list[tuple[float, str]]) -> list[str]:
    """One application: a bar for each server, all as long as they cost."""
    parts = [f'<text class="head" x="{left:g}" y="{TOP - 18}">{escape(title)}</text>']
    longest = max((cost for cost, _ in rows), default=1)
    room = width - NAMES - 46
    for index, (cost, server) in enumerate(rows):
        y = TOP + ROW * index
        kind = "ours" if server == OURS else "gunicorn" if server == GUNICORN else "peer"
        bar = max(1, room * cost / longest)
        name = server.partition("-")[0]
        parts.append(
            f'<g class="{kind}"><text x="{left:g}" y="{y}">{escape(name)}</text>'
            f'<rect x="{left + NAMES:g}" y="{y - 11}" width="{bar:.1f}" height="14" rx="2"/>'
            f'<text x="{left + NAMES + bar + 5:.1f}" y="{y}">{number(cost)}</text></g>'
        )
    return parts


def line(results: Results, path: str) -> str:
    """The picture in Markdown; its text says the same of ours and of gunicorn."""
    told = []
    for profile, title in PANELS.items():
        if profile in results.profiles:
            found = {server: number(cost) for cost, server in costs(results, profile)}
            told.append(f"{title} {found.get(OURS, '-')} here, {found.get(GUNICORN, '-')} with gunicorn")
    return f"![{TITLE}: {'; '.join(told)}]({path})"
