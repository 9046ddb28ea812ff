"""The command `flask fastwsgi`: the application that Flask's command finds, served by us, with our options.

Flask's entry point group `flask.commands` names `command`. The process that runs it becomes the supervisor and does not
load the application: each worker does, by ScriptInfo, as `flask run` would. So a reload brings new code. Options of
`flask run` are taken under its names, -h and -p too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from flask.cli import ScriptInfo, pass_script_info
from flask.helpers import get_debug_flag

from fastwsgi import cli
from fastwsgi.application import loader
from fastwsgi.mistakes import Mistake, UsageError
from fastwsgi.originals import os
from fastwsgi.server.addresses import Tcp, join_address, parse_address
from fastwsgi.settings.arguments import House, parse
from fastwsgi.settings.given import Given, Layer
from fastwsgi.settings.options import Option

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from fastwsgi.settings.settings import Settings

GROUP = "Flask"
HOST, PORT = "127.0.0.1", "8000"
OPTIONS = (
    Option(("-A", "--app"), "app", 1, help="as of flask: the module, file or factory", metavar="IMPORT", group=GROUP),
    Option(("--debug",), "debug", help="debug mode: --reload, the debugger and an access log", group=GROUP),
    Option(("--no-debug",), "debug", constant=False),
    Option(("-h", "--host"), "host", 1, help="address to listen on", metavar="HOST", group=GROUP),
    Option(("-p", "--port"), "port", 1, help="port to listen on (default 8000)", metavar="PORT", group=GROUP),
    Option(("--debugger",), "debugger", help="show Werkzeug's debugger for an exception", group=GROUP),
    Option(("--no-debugger",), "debugger", constant=False),
    Option(("--extra-files",), "extra_files", 1, help="files (with colons) that --reload watches, too",
           metavar="PATHS", group=GROUP),
    Option(("--cert",), "cert", 1, help="certificate (PEM), as --certfile", metavar="PATH", group=GROUP),
    Option(("--key",), "key", 1, help="its key (PEM), as --keyfile", metavar="PATH", group=GROUP),
    Option(("--with-threads",), "with_threads"),
    Option(("--without-threads",), "with_threads", constant=False, help="as --threads 1", group=GROUP),
)  # fmt: skip
HOUSE = House("flask fastwsgi", "Serve the Flask application over HTTP/1.1.", OPTIONS)
RENAMED = {"cert": "certfile", "key": "keyfile"}
RUN_MAIN = "WERKZEUG_RUN_MAIN"
"""Set in that process of Werkzeug's reloader that serves: applications ask for it, and with it the debugger logs its
PIN."""


class Command(click.Command):
    """A command whose arguments click leaves alone."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.params["argv"] = list(args)
        return []


@click.command("fastwsgi", cls=Command, add_help_option=False, short_help="Serve with fastwsgi.")
@pass_script_info
def command(info: ScriptInfo, argv: list[str]) -> None:
    """Serve the application with fastwsgi; `flask fastwsgi --help` has its options."""
    raise SystemExit(cli.exit_code_of(lambda: run(info, argv)))


def run(info: ScriptInfo, argv: list[str]) -> int:
    """Serve what *info* finds, by the arguments *argv*; the exit code. Raises Mistake."""
    arguments = parse(argv, HOUSE)
    own = arguments.own
    if "debug" in own:
        os.environ["FLASK_DEBUG"] = "1" if own["debug"] else "0"
    if "app" in own:
        info.app_import_path = own["app"]
    arguments.flags.update(translated(own, arguments.flags))
    arguments.app = info.app_import_path or "the Flask application"
    if info.create_app is not None:
        arguments.notices.append(
            "this program has imported the application's code before the workers are forked: "
            "SIGUSR2 renews it, SIGHUP and --reload do not"
        )
    debugger = own.get("debugger", get_debug_flag())
    return cli.run(arguments, defaults, partial(load, info, debugger))


def translated(own: Mapping[str, Any], flags: Mapping[str, Any]) -> dict[str, object]:
    """Our settings for the options of `flask run`. Raises UsageError if they are given twice."""
    found: dict[str, object] = {}
    if "host" in own or "port" in own:
        found["bind"] = [address(own.get("host", HOST), own.get("port", PORT))]
    if "extra_files" in own:
        found["reload_extra_files"] = own["extra_files"].split(os.pathsep)
    for theirs, ours in RENAMED.items():
        if theirs in own:
            found[ours] = [own[theirs]]
    if not own.get("with_threads", True):
        found["threads"] = "1"
    twice = sorted(found.keys() & flags.keys())
    if twice:
        raise UsageError(f"--{twice[0].replace('_', '-')} is given in two ways, ours and Flask's: leave one out")
    if own.get("cert") == "adhoc":
        raise UsageError("--cert adhoc is not here: give a file with a certificate (see --certfile)")
    return found


def address(host: str, port: str) -> str:
    """The address that --host and --port mean."""
    if host.startswith("unix://"):
        return f"unix:{host[len('unix://') :]}"
    return join_address(host, port)


def defaults() -> Layer:
    """The settings by Flask's own variables: those of `flask run`, and in debug mode what it does then."""
    layer: Layer = {}
    names = [name for name in ("FLASK_RUN_HOST", "FLASK_RUN_PORT") if os.environ.get(name)]
    if names:
        where = address(os.environ.get("FLASK_RUN_HOST") or HOST, os.environ.get("FLASK_RUN_PORT") or PORT)
        layer["bind"] = Given([where], " and ".join(names))
    if get_debug_flag():
        layer["reload"] = Given(True, "Flask's debug mode", by_user=False)
        layer["access_logfile"] = Given("-", "Flask's debug mode", by_user=False)
    return layer


def load(info: ScriptInfo, debugger: bool, name: str, settings: Settings) -> WSGIApplication:
    """The application, in the debugger if *debugger*. Raises Mistake."""
    if settings.reload or debugger:
        os.environ[RUN_MAIN] = "true"
    app = loader.load_by(partial(found, info), name, settings)
    return debugged(app, settings) if debugger else app


def found(info: ScriptInfo) -> object:
    """The application of *info*. Raises Mistake for what Flask says of one that it does not find."""
    try:
        return info.load_app()
    except click.UsageError as error:
        line, _, details = error.format_message().strip().partition("\n")
        mistake = Mistake(line.rstrip(":"), details.lstrip("\n") and f"{details.strip()}\n")
        mistake.exit_code = error.exit_code
        raise mistake from None


def debugged(app: WSGIApplication, settings: Settings) -> WSGIApplication:
    """*app* in Werkzeug's debugger; its console needs the process that has failed, so that there may be one only."""
    from werkzeug.debug import DebuggedApplication

    wrapped = DebuggedApplication(app, evalex=settings.workers == 1)
    trusted = getattr(wrapped, "trusted_hosts", [])  # Werkzeug 3.0.3
    trusted.extend(hosts(settings.bind))
    return wrapped


def hosts(addresses: Iterable[str]) -> list[str]:
    """The hosts that the server listens on, which may use the debugger as `flask run` has it."""
    found = map(parse_address, addresses)
    return [one.host for one in found if isinstance(one, Tcp)]
