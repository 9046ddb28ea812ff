"""The `fastwsgi` command.

A user's mistake ends in one line on standard error and an exit code: 2 for the command line, the environment, the
configuration file and what they name, 1 for the application and for addresses that cannot be had. The server itself is
imported late, so that help and messages about mistakes appear at once, and without it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Callable

from fastwsgi import gil
from fastwsgi.application import loader
from fastwsgi.application.configured import ConfiguredDeployment
from fastwsgi.mistakes import Finding, Mistake, UsageError, WrongValue, current_directory, file_mistake
from fastwsgi.notices import Notices, to_stderr
from fastwsgi.originals import os
from fastwsgi.settings.arguments import Arguments, parse
from fastwsgi.settings.given import Layer
from fastwsgi.settings.settings import Settings
from fastwsgi.settings.sources import Sources
from fastwsgi.settings.subcommands import SUBCOMMANDS
from fastwsgi.version import VERSION


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with the arguments *argv*, or those of the process; its exit code."""
    given = sys.argv[1:] if argv is None else argv
    if given and given[0] in SUBCOMMANDS:
        from fastwsgi import watching

        return exit_code_of(lambda: watching.run(given))
    return exit_code_of(lambda: run(parse(given)))


def exit_code_of(action: Callable[[], int]) -> int:
    """The exit code that *action* gives; that of a mistake, which is printed."""
    try:
        return action()
    except Mistake as mistake:
        for one in mistake.each:
            to_stderr(f"{one.details}fastwsgi: {one}")
        return mistake.exit_code
    except KeyboardInterrupt:
        return 130


def run(
    arguments: Arguments,
    defaults: Callable[[], Layer] = dict,
    load: Callable[[str, Settings], loader.Application] = loader.load,
) -> int:
    """Carry out the arguments: print something, check the application, or serve it. Raises Mistake.

    Args:
        arguments: what the command line says.
        defaults: gives those of the framework whose command it is.
        load: gives the application by its name.
    """
    if "version" in arguments.commands:
        print(version_line())
        return 0
    if "manual" in arguments.commands:
        from fastwsgi.settings import manual

        print(manual.page(), end="")
        return 0
    if arguments.completion is not None:
        from fastwsgi.settings import completion

        print(completion.script(arguments.completion), end="")
        return 0
    if arguments.paste is not None:
        from fastwsgi.contrib.paste_file import PasteFile

        file = PasteFile(arguments.paste)
        arguments.app, load, defaults = arguments.paste, file.load, file.defaults
    notices = Notices()
    try:
        sources = Sources(arguments.flags, arguments.app, arguments.config, current_directory(), defaults)
        return carry_out(arguments, notices, sources, load)
    finally:
        notices.pass_on(lambda notice: to_stderr(f"fastwsgi: {notice}"))


def carry_out(
    arguments: Arguments,
    notices: Notices,
    sources: Sources,
    load: Callable[[str, Settings], loader.Application],
) -> int:
    """Check the application, or serve it; *notices* is called with lines for the user. Raises Mistake."""
    if "print-config" not in arguments.commands:
        from fastwsgi.process import exit_functions

        exit_functions.begin_command()
    for notice in arguments.notices:
        notices(notice)
    finding = Finding() if {"check", "check-config"} & arguments.commands else None
    deployment = ConfiguredDeployment(sources, notices, finding, load)
    if "print-config" in arguments.commands:
        from fastwsgi.settings import report

        print(report.table(deployment.current), end="")
    if finding is not None:
        print_check(deployment, "check" in arguments.commands, finding)
    elif "print-config" not in arguments.commands:
        return serve(deployment, notices)
    return 0


def serve(deployment: ConfiguredDeployment, notices: Notices) -> int:
    """Serve until a signal ends that; the exit code. Raises Mistake if it cannot begin."""
    deployment.application(deployment.current.settings)
    build = loaded_build()
    from fastwsgi import backend
    from fastwsgi.process import ending, supervisor
    from fastwsgi.server.bind import BindError

    if line := backend.uncompiled_source():
        notices(line)
    try:
        code = supervisor.run(deployment, build, notices)
    except WrongValue as mistake:
        raise deployment.told(mistake) from None
    except BindError as error:
        raise Mistake(str(error)) from None
    except OSError as error:
        raise file_mistake(error) from None
    if deployment.current.settings.preload:  # this process, too, has what the application left behind
        ending.limit(deployment.current.settings.graceful_timeout, code)
    return code


def print_check(deployment: ConfiguredDeployment, call: bool, finding: Finding) -> None:
    """Load the application, call it once if *call*, and print what would be served.

    Raises:
        Mistake, Mistakes: what is wrong, with what *finding* knows already.
    """
    from fastwsgi.application import check
    from fastwsgi.process import preflight
    from fastwsgi.process.loading import watched

    done = server = ""
    settings = deployment.current.settings
    with finding:
        server = version_line()
    with finding:
        settings = deployment.settings()
    notes = preflight.check(settings, finding, deployment.hooks)  # the application may change the directory
    with finding:
        name = deployment.application(settings)
        with watched(name):
            app = deployment.load(settings)
        answer = f"answers GET / with {check.call_once(app, name, settings)}" if call else "can be loaded"
        done = f"{name} ({type(app).__name__}) {answer}"
    finding.found = [deployment.told(mistake) for mistake in finding.found]
    finding.end()
    print(f"{done}\nwould be served on {', '.join(settings.bind)}\nby {server}")
    for note in notes:
        print(f"note: {note}")


def version_line() -> str:
    """The versions that matter, and which build runs. Raises Mistake if it cannot be loaded."""
    build = loaded_build().title
    parser = getattr(sys.modules["httptools"], "__version__", "of an unknown version")  # loaded with the build
    python = sys.version.split()[0] + ("" if gil.is_on() else " without a GIL")
    return f"fastwsgi {VERSION} ({build}), Python {python}, httptools {parser}"


def loaded_build() -> SimpleNamespace:
    """The modules that serve. Raises Mistake if they cannot be loaded."""
    forced = os.environ.get("FASTWSGI_BACKEND", "")
    if forced not in ("", "c", "py"):
        raise UsageError(f"FASTWSGI_BACKEND {forced!r} must be c, compiled, or py, pure Python")
    try:
        from fastwsgi import backend

        return backend.current()
    except ImportError as error:
        raise Mistake(f"the server cannot be loaded: {error}") from None
