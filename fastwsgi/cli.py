"""The `fastwsgi` command.

A user's mistake ends in one line on standard error and an exit code: 2 for the command line, the environment and the
configuration file, 1 for the application and the addresses. The server itself is imported late, so that help and
messages about mistakes appear at once, and without it.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Sequence
from importlib import metadata
from types import SimpleNamespace

from fastwsgi.application import check
from fastwsgi.application.configured import ConfiguredDeployment
from fastwsgi.mistakes import Mistake, current_directory, file_mistake
from fastwsgi.notices import Notices
from fastwsgi.settings import manual, report
from fastwsgi.settings.arguments import parse
from fastwsgi.settings.settings import Settings
from fastwsgi.settings.sources import Sources
from fastwsgi.version import VERSION


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with the arguments *argv*, or those of the process; its exit code."""
    try:
        return run(parse(sys.argv[1:] if argv is None else argv))
    except Mistake as mistake:
        announce(f"{mistake.details}fastwsgi: {mistake}")
        return mistake.exit_code
    except KeyboardInterrupt:
        return 130


def announce(text: str) -> None:
    """Write to standard error, unbuffered, unless it is closed."""
    try:
        print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        pass


def run(arguments: argparse.Namespace) -> int:
    """Carry out the arguments: print something, check the application, or serve it. Raises Mistake."""
    if arguments.version:
        print(version_line())
        return 0
    if arguments.manual:
        print(manual.page(), end="")
        return 0
    notices = Notices()
    try:
        return carry_out(arguments, notices)
    finally:
        notices.pass_on(lambda notice: announce(f"fastwsgi: {notice}"))


def carry_out(arguments: argparse.Namespace, notices: Notices) -> int:
    """Check the application, or serve it; *notices* is called with lines for the user. Raises Mistake."""
    for notice in arguments.notices:
        notices(notice)
    sources = Sources(arguments.flags, arguments.app, arguments.config, current_directory())
    deployment = ConfiguredDeployment(sources, notices)
    if arguments.print_config:
        print(report.table(deployment.current), end="")
    if arguments.check or arguments.check_config:
        print_check(deployment, arguments.check)
    elif not arguments.print_config:
        return serve(deployment, notices)
    return 0


def serve(deployment: ConfiguredDeployment, notices: Notices) -> int:
    """Serve until a signal ends that; the exit code. Raises Mistake if it cannot begin."""
    deployment.application(deployment.current.settings)
    build = loaded_build()
    from fastwsgi.process import ending, supervisor
    from fastwsgi.server.bind import BindError

    try:
        code = supervisor.run(deployment, build, notices)
    except BindError as error:
        raise Mistake(str(error)) from None
    except OSError as error:
        raise file_mistake(error) from None
    if deployment.current.settings.preload:  # this process, too, has what the application left behind
        ending.limit(deployment.current.settings.graceful_timeout, code)
    return code


def print_check(deployment: ConfiguredDeployment, call: bool) -> None:
    """Load the application, call it once if *call*, and print what would be served. Raises Mistake."""
    settings = deployment.settings()
    from fastwsgi.process.loading import watched

    name = deployment.application(settings)
    server = version_line()
    with watched(name):
        app = deployment.load(settings)
    check_addresses(settings)
    check_certificates(settings)
    check_logs(settings)
    done = f"answers GET / with {check.call_once(app, name, settings)}" if call else "can be loaded"
    print(f"{name} ({type(app).__name__}) {done}")
    print(f"would be served on {', '.join(settings.bind)}")
    print(f"by {server}")


def check_logs(settings: Settings) -> None:
    """Check the format of the access log. Raises Mistake."""
    from fastwsgi.observe.logs import check

    check(settings)


def check_certificates(settings: Settings) -> None:
    """Check the settings and files of TLS. Raises Mistake."""
    from fastwsgi.process.certificates import Certificates

    Certificates(settings)


def check_addresses(settings: Settings) -> None:
    """Check the addresses to listen on. Raises Mistake."""
    from fastwsgi.server.addresses import BindError, parse_address

    try:
        for address in settings.bind:
            parse_address(address)
    except BindError as error:
        raise Mistake(str(error)) from None


def version_line() -> str:
    """The versions that matter, and which build runs. Raises Mistake if it cannot be loaded."""
    build = loaded_build().title
    versions = f"Python {platform.python_version()}, httptools {metadata.version('httptools')}"
    return f"fastwsgi {VERSION} ({build}), {versions}"


def loaded_build() -> SimpleNamespace:
    """The modules that serve. Raises Mistake if they cannot be loaded."""
    try:
        from fastwsgi import backend

        return backend.current()
    except ImportError as error:
        raise Mistake(f"the server cannot be loaded: {error}") from None
