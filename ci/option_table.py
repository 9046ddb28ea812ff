"""The README's table of options, made from the settings: `python ci/option_table.py --write` or `--check`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastwsgi.settings.settings import SETTINGS, Setting

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- options: begin (ci/option_table.py --write) -->\n", "<!-- options: end -->\n"


def table() -> str:
    """All settings, as a Markdown table in the order of `fastwsgi --help`."""
    rows = ["| Option | Default | Meaning |", "|---|---|---|"]
    group = ""
    for setting in SETTINGS.values():
        if setting.group != group:
            group = setting.group
            rows.append(f"| **{group.capitalize()}** | | |")
        rows.append(row(setting))
    return "\n".join(rows) + "\n"


def row(setting: Setting) -> str:
    short = [flag for flag in setting.flags if not flag.startswith("--")]
    value = f" {setting.kind.metavar}" if setting.kind.metavar else ""
    option = ", ".join(f"`{flag}`" for flag in short) + ", " * bool(short) + f"`{setting.flag}{value}`"
    default = f"`{setting.shown_default}`" if setting.shown_default else ""
    meaning = setting.help[0].upper() + setting.help[1:]
    return f"| {option} | {default} | {meaning} |".replace("  |", " |")


def renewed(text: str) -> str:
    """The README with the table of now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table() + END + after


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true", help="renew the table")
    what.add_argument("--check", action="store_true", help="say whether it is current (exit code 1: no)")
    text = README.read_text(encoding="utf-8")
    if parser.parse_args().write:
        README.write_text(renewed(text), encoding="utf-8")
    elif text != renewed(text):
        print("the README's option table is not that of the settings: python ci/option_table.py --write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
