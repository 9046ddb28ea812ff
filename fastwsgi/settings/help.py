"""The help of a command, as argparse lays it out."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from fastwsgi.settings.options import Option


def page(
    command: str, purpose: str, options: Sequence[Option], word: tuple[str, str] | None, more: str
) -> str:
    """The text of --help, as wide as the terminal.

    Args:
        command: what is called.
        purpose: what it does, a sentence.
        options: those that have a help are shown.
        word: the name of the word that it takes, and its help, if it takes one.
        more: what comes last.
    """
    usage = f"{command} [OPTIONS] [{word[0]}]" if word else f"{command} [OPTIONS]"
    parser = argparse.ArgumentParser(command, usage, purpose, more, add_help=False)
    if word:
        parser.add_argument("word", metavar=word[0], nargs="?", help=word[1])
    shown = [option for option in options if option.help]
    headings = dict.fromkeys(option.group for option in shown)
    groups = {heading: parser.add_argument_group(heading) if heading else parser for heading in headings}
    for option in shown:
        _add(groups[option.group], option)
    return parser.format_help()


def _add(group: Any, option: Option) -> None:
    how: dict[str, Any] = {"action": "store_true"}
    if option.nargs != 0:
        how = {"metavar": option.metavar, "nargs": None if option.nargs == 1 else option.nargs}
    group.add_argument(*option.flags, help=option.help.replace("%", "%%"), **how)
