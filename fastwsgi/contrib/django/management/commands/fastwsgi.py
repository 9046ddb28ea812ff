"""`manage.py fastwsgi [addrport] [options]`: checks the project as runserver does, and becomes the command fastwsgi.

It ends by exec, with an application that each worker loads for itself (serving.py). For here Django is set up, and
whatever is forked from here would keep this code and these settings for good; the process that takes over has nothing
of the project, so SIGHUP and SIGUSR2 bring new code, and it is as small as that of the plain command.
"""

from __future__ import annotations

import sys
from typing import Any

import django
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from fastwsgi import cli
from fastwsgi.contrib.django import handover
from fastwsgi.contrib.django.checks import run_checks
from fastwsgi.contrib.django.options import HOUSE, RUNSERVERS, address, for_django
from fastwsgi.mistakes import current_directory
from fastwsgi.notices import to_stderr
from fastwsgi.originals import os
from fastwsgi.settings.arguments import Arguments, help_page, parse
from fastwsgi.settings.settings import SETTINGS
from fastwsgi.settings.sources import Configuration, Sources


class Command(BaseCommand):
    """The command, also for call_command("fastwsgi", "8001", workers=4), which does not return."""

    help = HOUSE.purpose
    requires_system_checks: list[str] = []  # they are made where they are wanted
    stealth_options = tuple(SETTINGS)
    arguments: Arguments | None = None

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare what Django's parser reads; ours reads the rest."""
        parser.add_argument("addrport", nargs="?")
        for option in RUNSERVERS:
            parser.add_argument(*option.flags, action="store_true", dest=option.name, help=option.help)

    def print_help(self, prog_name: str, subcommand: str) -> None:
        """Print what `manage.py help fastwsgi` shows."""
        print(help_page(HOUSE), end="")

    def run_from_argv(self, argv: list[str]) -> None:
        """Read the command line, with our messages for what is wrong with it, and have Django go on."""
        code = cli.exit_code_of(lambda: self._run(argv))
        if code:
            sys.exit(code)

    def _run(self, argv: list[str]) -> int:
        self.arguments = parse(argv[2:], HOUSE)
        if "version" in self.arguments.commands:
            return cli.run(self.arguments)
        for line in self.arguments.notices:
            to_stderr(f"fastwsgi: {line}")
        super().run_from_argv([*argv[:2], *for_django(self.arguments)])
        return 0

    def handle(self, *args: object, **options: Any) -> None:
        """Check, and become the server. Raises CommandError, and Mistake."""
        if not settings.DEBUG and not settings.ALLOWED_HOSTS:
            raise CommandError("You must set settings.ALLOWED_HOSTS if DEBUG is False.")
        if not isinstance(getattr(settings, "SETTINGS_MODULE", None), str):
            raise CommandError("Workers load the settings anew: set DJANGO_SETTINGS_MODULE, not settings.configure().")
        given = self.arguments or Arguments(flags={name: options[name] for name in SETTINGS if name in options})
        read = self._configure(given.flags, given.config, options)
        line = handover.command_line(given, read, options)
        handover.leave_time_zone()
        if options["no_color"]:
            os.environ["DJANGO_COLORS"] = "nocolor"
        if not given.flags.get("reload"):  # else each worker makes them
            run_checks(self, options["skip_checks"])
        connections.close_all()
        if options["verbosity"]:
            version = django.get_version()
            self.stdout.write(f"Django version {version}, using settings {settings.SETTINGS_MODULE!r}")
        for stream in (self.stdout, self.stderr, sys.stdout, sys.stderr):
            stream.flush()
        os.execv(line[0], line)

    def _configure(self, flags: dict[str, Any], config: str | None, options: dict[str, Any]) -> Configuration:
        """Add to *flags* what runserver's options and DEBUG want; all that is configured. Raises Mistake."""
        if options["addrport"] or options["use_ipv6"]:
            if "bind" in flags:
                raise CommandError("An address and --bind are two ways to say where to listen: leave one out.")
            flags["bind"] = [address(options["addrport"] or "8000", options["use_ipv6"])]
        if options["noreload"]:
            flags["reload"] = False
        read = Sources(flags, handover.APPLICATION, config, current_directory()).read(os.environ)
        reload, origins = read.settings.reload, set(read.origins)
        if settings.DEBUG and not origins & {"reload", "preload"}:
            reload = True
        if settings.DEBUG and not origins & {"access_logfile", "log_config"}:
            flags["access_logfile"] = "-"
        if reload:
            flags["reload"] = True
            os.environ["RUN_MAIN"] = "true"  # by it applications tell the process that serves from runserver's first
        return read
