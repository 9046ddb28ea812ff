"""The command line: its options, made from the table of settings, and the messages about options that are not ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fastwsgi.gunicorn.unsupported import ACCEPTED, UNSUPPORTED
from fastwsgi.mistakes import UsageError, nearest
from fastwsgi.records import field, record
from fastwsgi.settings import habits
from fastwsgi.settings.options import HELP, Option, read
from fastwsgi.settings.settings import SETTINGS, Setting
from fastwsgi.settings.subcommands import SUBCOMMANDS

SEE_HELP = "see fastwsgi --help"

COMMANDS = {
    "--check": "load the application, call it once, say how it went",
    "--check-config": "read all settings, load the application, say what is wrong",
    "--print-config": "print each setting's value and where it comes from",
    "--manual": "print the manual page: fastwsgi --manual | man -l -",
    "--version": "print versions and which build runs",
}
"""Options that do something other than serve."""
SHORT_FORMS = {"--version": ("-v",)}
"""Those of COMMANDS that have short forms."""
COMPLETION_HELP = 'print the completion for bash, zsh or fish: eval "$(fastwsgi --completion bash)"'
WORKER_CLASS = ("-k", "--worker-class")
"""gunicorn's options for a kind of worker, in whose place there are threads."""
APP_HELP = "the application; ATTR is application or app if left out, and may be a call: 'create_app()'"
CONFIG_HELP = (
    "configuration file: TOML, or Python as gunicorn's (gunicorn.conf.py, python:MODULE); "
    "else fastwsgi.toml or [tool.fastwsgi] in pyproject.toml"
)


@record
class Arguments:
    """What a command line says.

    Attributes:
        app: the application.
        config: the configuration file.
        completion: the shell whose completion is wanted.
        commands: those of COMMANDS that were given.
        flags: the settings that were given, as text.
        notices: lines for the user.
    """

    app: str | None = None
    config: str | None = None
    completion: str | None = None
    commands: set[str] = field(default_factory=set)
    flags: dict[str, Any] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)


def parse(argv: Sequence[str]) -> Arguments:
    """Parse the command line.

    Raises:
        UsageError: it is wrong.
        SystemExit: it asks for the help, which is printed.
    """
    habits.refuse_options(argv)
    found = Arguments()
    words: list[str] = []
    unknown: list[str] = []
    for option, flag, value in read(argv, options(), SEE_HELP):
        if option is None:
            words += [] if flag else [str(value)]
            unknown += [flag] if flag else []
        elif option is HELP:
            print(help_page(), end="")
            raise SystemExit(0)
        else:
            _take(found, option, flag, value)
    for flag in unknown:
        _refuse_unknown(flag)
    found.app = words[0] if words else None
    if words[1:]:
        habits.refuse_address(argv, words[1])
        raise UsageError(f"one application only: {found.app}, and not {words[1]} ({SEE_HELP})")
    if found.app in SUBCOMMANDS:
        name = found.app
        raise UsageError(f"the command {name} comes first: fastwsgi {name} ...; the module is {name}:application")
    return found


def _take(found: Arguments, option: Option, flag: str, value: Any) -> None:
    """Note an option that was given. Raises UsageError if it is gunicorn's, and would matter."""
    if option.name in UNSUPPORTED:
        unsupported = UNSUPPORTED[option.name]
        if value and unsupported.is_harmless(value):
            return
        line = f"{flag}: {unsupported.instead}"
        if unsupported.treatment != ACCEPTED:
            raise UsageError(line)
        found.notices.append(line)
    elif f"--{option.name}" in COMMANDS:
        found.commands.add(option.name)
    elif option.name in ("config", "completion"):
        setattr(found, option.name, value)
    elif option.repeats:
        found.flags.setdefault(option.name, []).append(value)
    else:
        found.flags[option.name] = value


def _refuse_unknown(flag: str) -> None:
    """Raise UsageError with the option that was probably meant."""
    theirs = ("--host", "--port", "--listen")
    meant = nearest(flag, [*(one for one in all_flags() if one.startswith("--")), *theirs])
    hint = f"did you mean {meant}?" if meant else SEE_HELP
    hint += " It is --bind HOST:PORT here" if meant in theirs else ""
    raise UsageError(f"unknown option {flag}; {hint}")


def options() -> list[Option]:
    """The options of the command line: one for each setting, those of COMMANDS, and gunicorn's that we do not have."""
    found = [HELP, Option(("-c", "--config"), "config", 1, help=CONFIG_HELP, metavar="PATH")]
    for command, text in COMMANDS.items():
        found.append(Option((*SHORT_FORMS.get(command, ()), command), command[2:], help=text))
    found.append(Option(("--completion",), "completion", 1, help=COMPLETION_HELP, metavar="SHELL"))
    found += (option for setting in SETTINGS.values() for option in _options_of(setting))
    found.append(Option(WORKER_CLASS, "worker_class", 1))
    for name, one in UNSUPPORTED.items():
        found.append(Option(one.flags, name, one.nargs, None))
    return found


def _options_of(setting: Setting[Any]) -> Iterator[Option]:
    """The option of *setting*; flags beyond the first long one, and the opposite, are accepted but not shown."""
    shown = setting.flags.index(setting.flag) + 1
    is_switch = isinstance(setting.default, bool)
    bare = setting.kind.bare
    nargs = 0 if is_switch else 1 if bare is None else "?"
    constant = not setting.default if is_switch else bare
    repeats = setting.kind.repeatable
    yield Option(
        setting.flags[:shown], setting.name, nargs, constant, repeats,
        help_text(setting), setting.kind.metavar, setting.group,
    )  # fmt: skip
    yield Option(setting.flags[shown:], setting.name, nargs, constant, repeats)
    if is_switch:
        yield Option((setting.opposite,), setting.name, constant=setting.default)


def help_page() -> str:
    """The text of --help."""
    from fastwsgi.settings import help

    return help.page(
        "fastwsgi",
        "Serve a WSGI application over HTTP/1.1.",
        options(),
        ("MODULE[:ATTR]", APP_HELP),
        "BYTES may end in K, M or G. SECONDS may have a fraction. Each option may also be given as an "
        "environment variable, FASTWSGI_WORKERS=4, or in the configuration file, workers = 4. "
        f"A running service is looked at by {' and '.join(f'fastwsgi {name}' for name in SUBCOMMANDS)} (--help).",
    )


def help_text(setting: Setting[Any]) -> str:
    """The purpose of a setting, and its default unless that is off, empty or none."""
    return f"{setting.help} (default {setting.shown_default})" if setting.shown_default else setting.help


def all_flags() -> list[str]:
    """Every option there is."""
    short = [flag for flags in SHORT_FORMS.values() for flag in flags]
    own = ["-h", "--help", "-c", "--config", "--completion", *short, *COMMANDS]
    return own + [flag for setting in SETTINGS.values() for flag in setting.flags]
