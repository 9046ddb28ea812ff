"""The manual's list of options, made from the settings: `python ci/option_table.py --write` or `--check`."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastwsgi.settings.arguments import COMMANDS, COMPLETION_HELP, CONFIG_HELP, PASTE_HELP, SHORT_FORMS
from fastwsgi.settings.manual import key, sentence
from fastwsgi.settings.settings import SETTINGS, Setting

PAGE = Path(__file__).resolve().parent.parent / "docs" / "options.md"
BEGIN, END = "<!-- options: begin (ci/option_table.py --write) -->\n", "<!-- options: end -->\n"
PAGES = {
    "the application": "[Configuration](configuration.md), [What an application may do](application.md)",
    "the server": "[Configuration](configuration.md), [Signals, reload, upgrade](signals.md)",
    "encryption": "[TLS](tls.md)",
    "behind proxies": "[Behind a proxy](behind-proxies.md), [nginx](nginx.md), [HAProxy](haproxy.md)",
    "processes and threads": "[Workers and threads](workers-and-threads.md), [Signals, reload, upgrade](signals.md)",
    "times": "[Time limits](time-limits.md)",
    "limits": "[Security](security.md#clients-that-misbehave)",
    "static files": "[Static files](static-files.md)",
    "logs": "[Logs](logs.md)",
    "status and metrics": "[Status page and top](status-page.md), [Metrics](metrics.md), [Kubernetes](kubernetes.md)",
}
"""Which pages tell more about the settings of a group."""


def entries() -> str:
    """All options, in the order of `fastwsgi --help`."""
    parts = [commands()]
    group = ""
    for setting in SETTINGS.values():
        if setting.group != group:
            group = setting.group
            more = f"\n\nMore: {PAGES[group]}" if group in PAGES else ""
            parts.append(f"## {group.capitalize()}{more}")
        parts.append(entry(setting))
    return "\n\n".join(parts) + "\n"


def commands() -> str:
    """The table of the options that are not settings."""
    own = {"--config PATH": CONFIG_HELP, "--help": "print the options", "--paste PATH": PASTE_HELP, **COMMANDS}
    own["--completion SHELL"] = COMPLETION_HELP
    short = {**SHORT_FORMS, "--config PATH": ("-c",), "--help": ("-h",)}
    rows = (
        f"| {', '.join(f'`{flag}`' for flag in (*short.get(name, ()), name))} | {plain(text)} |"
        for name, text in own.items()
    )
    return "\n".join(["## Commands", "", "| Option | |", "|---|---|", *rows])


def entry(setting: Setting[Any]) -> str:
    """The entry of one setting: what it means, its option and default, and where else it can be given."""
    value = f" {setting.kind.metavar}" if setting.kind.metavar else ""
    shown = setting.flags.index(setting.flag) + 1
    also = [f"`{flag}`" for flag in setting.flags[shown:] if "_" not in flag]
    facts = [
        ", ".join(f"`{flag}`" for flag in setting.flags[: shown - 1] + (setting.flag + value,)),
        *([f"also {', '.join(also)}"] if also else []),
        *([f"default `{setting.shown_default}`"] if setting.shown_default else []),
        f"variable `{setting.variable}`",
        f"key `{key(setting)}`",
        "a reload changes it" if setting.reloadable else "a reload does not change it",
    ]
    return f"### {setting.name.replace('_', '-')}\n\n{plain(setting.help)}\n\n{' · '.join(facts)}"


def plain(text: str) -> str:
    """A help text as a sentence of Markdown."""
    return re.sub(r"([*|<\[])", r"\\\1", sentence(text))


def renewed(text: str) -> str:
    """The page with the options of now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n" + entries() + "\n" + END + after


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true", help="renew the list")
    what.add_argument("--check", action="store_true", help="say whether it is current (exit code 1: no)")
    text = PAGE.read_text(encoding="utf-8")
    if parser.parse_args().write:
        PAGE.write_text(renewed(text), encoding="utf-8")
    elif text != renewed(text):
        print("docs/options.md is not that of the settings: python ci/option_table.py --write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
