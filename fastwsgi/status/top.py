"""`fastwsgi top`: what a service does, as a table on the terminal, or as text."""

from __future__ import annotations

import json
import sys

from fastwsgi.mistakes import Mistake
from fastwsgi.originals import os, time
from fastwsgi.status import top_view
from fastwsgi.status.client import Service


def print_document(service: Service) -> int:
    """Print /status.json; the exit code. Raises NoAnswer."""
    print(json.dumps(service.document(), indent=2))
    return 0


def once(service: Service) -> int:
    """Print one table; the exit code. Raises Mistake."""
    print(table(service), end="", flush=True)
    return 0


def table(service: Service) -> str:
    """One table as plain text, as wide as the terminal if it goes to one. Raises Mistake."""
    return top_view.text(top_view.picture(service.document(), top_view.Choice(), width()))


def width() -> int | None:
    """The width of the terminal; None where standard output is none."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError, AttributeError):
        return None


def show(service: Service, interval: float) -> int:
    """Show the table until the user has seen enough, each *interval* seconds anew; the exit code. Raises Mistake."""
    document = service.document()  # nobody listens: that is one line, and no screen
    top_view.picture(document, top_view.Choice())
    if not can_draw():
        return follow(service, interval)
    from fastwsgi.status.top_screen import run

    return run(service, document, interval)


def can_draw() -> bool:
    """Whether there is a terminal whose cursor can be moved, and curses."""
    try:
        if not (os.isatty(sys.stdin.fileno()) and os.isatty(sys.stdout.fileno())):
            return False
        import curses
    except (ImportError, OSError, ValueError, AttributeError):  # closed streams, too
        return False
    try:
        curses.setupterm()
        return curses.tigetstr("cup") is not None
    except curses.error:  # nobody knows such a TERM
        return False


def follow(service: Service, interval: float) -> int:
    """Print a table each *interval* seconds, until Ctrl-C."""
    while True:
        try:
            print(table(service), flush=True)
        except Mistake as error:
            print(f"{time.strftime('%H:%M:%S')} {error}\n", flush=True)
        time.sleep(interval)
