"""The subcommands, which look at a running service: their names, texts and options.

A subcommand is the first word of the command line. There it wins over an application: a module that is called top is
served as top:application.
"""

from __future__ import annotations

from fastwsgi.records import record


@record(frozen=True)
class Flag:
    """An option of a subcommand.

    Attributes:
        names: its spellings, the short one first.
        help: its purpose.
        metavar: stands for its value; empty if it takes none.
        completes: what the value is, as for an option of the server: file or "".
    """

    names: tuple[str, ...]
    help: str
    metavar: str = ""
    completes: str = ""


@record(frozen=True)
class Subcommand:
    """A subcommand.

    Attributes:
        name: the word.
        help: its purpose, in one line.
        flags: its options.
        more: what its own help says besides.
    """

    name: str
    help: str
    flags: tuple[Flag, ...]
    more: str


ADDRESS_HELP = (
    "where the service has its --status-bind, HOST:PORT or unix:/path/of.sock; else it is looked for as the server "
    "does: FASTWSGI_STATUS_BIND, then the configuration file"
)
_CONFIG = Flag(("-c", "--config"), "configuration file that has status_bind", "PATH", "file")
_EXITS = "The exit code is 1 if nobody answers there, and 2 if there is no address."

SUBCOMMANDS = {
    one.name: one
    for one in (
        Subcommand(
            "top",
            "show the workers, the queue and the running requests of a service, anew each second",
            (
                _CONFIG,
                Flag(("--once",), "print one table, as plain text"),
                Flag(("--json",), "print /status.json"),
                Flag(("--interval",), "time between two looks (default 1)", "SECONDS"),
            ),
            "Keys: q quits, p pauses, s and S sort by the next and the last column, r hides the requests, ? explains "
            f"the columns. Where there is no terminal, it prints a table each time. {_EXITS}",
        ),
        Subcommand(
            "stacks",
            "print the Python stack of every request that a service runs",
            (_CONFIG,),
            _EXITS,
        ),
    )
}
