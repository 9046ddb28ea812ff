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

COMMANDS = {
    "--check": "load the application, call it once, say how it went",
    "--check-config": "read all settings, load the application, say what is wrong",
    "--print-config": "print each setting's value and where it comes from",
    "--manual": "print the manual page: fastwsgi --manual | man -l -",
    "--version": "print versions and which build runs",
}
"""Options that do something other than serve."""
PASTE = ("--paste", "--paster")
"""Options that name a file of PasteDeploy's; only the first is shown."""
OURS_ALONE = ("--manual", "--completion", *PASTE)
"""Options that a framework's command does not have."""
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
PASTE_HELP = "serve the application of this PasteDeploy file, such as production.ini or production.ini#NAME"


@record(frozen=True)
class House:
    """A framework's command that takes our options: `flask fastwsgi` for example. The framework has the application.

    Attributes:
        command: what is called.
        purpose: what it does, a sentence.
        options: the framework's own, which win over ours where flags are the same.
        word: the name and the help of the one word that it takes; empty if it takes none.
    """

    command: str
    purpose: str
    options: tuple[Option, ...] = ()
    word: tuple[str, str] | None = None


OURS = House("fastwsgi", "Serve a WSGI application over HTTP/1.1.", word=("MODULE[:ATTR]", APP_HELP))


@record
class Arguments:
    """What a command line says.

    Attributes:
        app: the application, or the word of a framework's command.
        config: the configuration file.
        paste: the PasteDeploy file that makes the application, FILE or FILE#NAME.
        completion: the shell whose completion is wanted.
        commands: those of COMMANDS that were given.
        flags: the settings that were given, as text.
        own: the framework's options that were given, by their names.
        notices: lines for the user.
    """

    app: str | None = None
    config: str | None = None
    paste: str | None = None
    completion: str | None = None
    commands: set[str] = field(default_factory=set)
    flags: dict[str, Any] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)


def parse(argv: Sequence[str], house: House = OURS) -> Arguments:
    """Parse the command line, ours or that of a framework's command.

    Raises:
        UsageError: it is wrong.
        SystemExit: it asks for the help, which is printed.
    """
    habits.refuse_options(argv, house.command, {flag for option in house.options for flag in option.flags})
    found = Arguments()
    words: list[str] = []
    unknown: list[str] = []
    see_help = f"see {house.command} --help"
    for option, flag, value in read(argv, options(house), see_help):
        if option is None:
            words += [] if flag else [str(value)]
            unknown += [flag] if flag else []
        elif option.name == HELP.name:
            print(help_page(house), end="")
            raise SystemExit(0)
        elif option in house.options:
            found.own[option.name] = value
        else:
            _take(found, option, flag, value)
    for flag in unknown:
        _refuse_unknown(flag, house, see_help)
    found.app = words[0] if words else None
    if words and found.paste is not None:
        raise UsageError(f"{words[0]} and --paste {found.paste} are two applications: leave one out")
    if words and house.word is None:
        raise UsageError(f"{house.command} takes no {words[0]!r}: its application is {house.command.split()[0]}'s")
    if words[1:]:
        if house.word is not None and house is not OURS:
            raise UsageError(f"one {house.word[0]} only: {words[0]}, and not {words[1]} ({see_help})")
        habits.refuse_address(argv, words[1])
        raise UsageError(f"one application only: {found.app}, and not {words[1]} ({see_help})")
    if found.app in SUBCOMMANDS and house is OURS:
        name = found.app
        raise UsageError(f"the command {name} comes first: fastwsgi {name} ...; the module is {name}:application")
    return found


def _take(found: Arguments, option: Option, flag: str, value: Any) -> None:
    """Note an option that was given. Raises UsageError if it is gunicorn's, and would matter."""
    if option.name in ("config", "completion", "paste"):
        setattr(found, option.name, value)
    elif option.name in UNSUPPORTED:
        unsupported = UNSUPPORTED[option.name]
        if value and unsupported.is_harmless(value):
            return
        line = f"{flag}: {unsupported.instead}"
        if unsupported.treatment != ACCEPTED:
            raise UsageError(line)
        found.notices.append(line)
    elif f"--{option.name}" in COMMANDS:
        found.commands.add(option.name)
    elif option.repeats:
        found.flags.setdefault(option.name, []).append(value)
    else:
        found.flags[option.name] = value


def _refuse_unknown(flag: str, house: House, see_help: str) -> None:
    """Raise UsageError with the option that was probably meant."""
    known = [one for option in options(house) for one in option.flags if one.startswith("--")]
    theirs = ("--host", "--port", "--listen")
    meant = nearest(flag, [*known, *theirs])
    hint = f"did you mean {meant}?" if meant else see_help
    hint += " It is --bind HOST:PORT here" if meant in theirs and meant not in known else ""
    raise UsageError(f"unknown option {flag}; {hint}")


def options(house: House = OURS) -> list[Option]:
    """The options of the command line: one for each setting, those of COMMANDS, and gunicorn's that we do not have.

    Behind them are those of a framework's command, which replace ours.
    """
    found = [HELP, Option(("-c", "--config"), "config", 1, help=CONFIG_HELP, metavar="PATH")]
    for command, text in COMMANDS.items():
        found.append(Option((*SHORT_FORMS.get(command, ()), command), command[2:], help=text))
    found.append(Option(("--completion",), "completion", 1, help=COMPLETION_HELP, metavar="SHELL"))
    found.append(Option(PASTE[:1], "paste", 1, help=PASTE_HELP, metavar="PATH"))
    found.append(Option(PASTE[1:], "paste", 1))
    found += (option for setting in SETTINGS.values() for option in _options_of(setting))
    found.append(Option(WORKER_CLASS, "worker_class", 1))
    for name, one in UNSUPPORTED.items():
        found.append(Option(one.flags, name, one.nargs, None))
    if house is OURS:
        return found
    return [*_without(found, {flag for one in house.options for flag in one.flags} | {*OURS_ALONE}), *house.options]


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


def help_page(house: House = OURS) -> str:
    """The text of --help."""
    from fastwsgi.settings import help

    return help.page(
        house.command,
        house.purpose,
        options(house),
        house.word,
        "BYTES may end in K, M or G. SECONDS may have a fraction. Each option may also be given as an "
        "environment variable, FASTWSGI_WORKERS=4, or in the configuration file, workers = 4. "
        f"A running service is looked at by {' and '.join(f'fastwsgi {name}' for name in SUBCOMMANDS)} (--help).",
    )


def _without(found: list[Option], taken: set[str]) -> Iterator[Option]:
    """The options *found*, without the flags that are *taken*."""
    for option in found:
        flags = tuple(flag for flag in option.flags if flag not in taken)
        if flags == option.flags:
            yield option
        elif flags:
            yield Option(**{**vars(option), "flags": flags})


def help_text(setting: Setting[Any]) -> str:
    """The purpose of a setting, and its default unless that is off, empty or none."""
    return f"{setting.help} (default {setting.shown_default})" if setting.shown_default else setting.help


def all_flags() -> list[str]:
    """Every option there is."""
    short = [flag for flags in SHORT_FORMS.values() for flag in flags]
    own = ["-h", "--help", "-c", "--config", "--completion", "--paste", *short, *COMMANDS]
    return own + [flag for setting in SETTINGS.values() for flag in setting.flags]
