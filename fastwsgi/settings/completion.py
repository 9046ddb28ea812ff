"""`--completion SHELL`: the script by which bash, zsh or fish completes the command, made from the settings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Callable

from fastwsgi.mistakes import UsageError
from fastwsgi.records import record
from fastwsgi.settings.arguments import COMMANDS, COMPLETION_HELP, CONFIG_HELP, PASTE_HELP, SHORT_FORMS
from fastwsgi.settings.settings import SETTINGS
from fastwsgi.settings.subcommands import SUBCOMMANDS, Subcommand

SHELLS = ("bash", "zsh", "fish")


@record(frozen=True)
class Option:
    """An option as shells need to know it.

    Attributes:
        flags: the short one, if any, and the long ones that the help shows.
        help: its purpose.
        metavar: stands for its value; empty if it takes none.
        words: the values that it can have, if they are few.
        completes: what else its value is: file, directory, user, group or "".
        repeatable: whether it may be given several times.
    """

    flags: tuple[str, ...]
    help: str
    metavar: str = ""
    words: tuple[str, ...] = ()
    completes: str = ""
    repeatable: bool = False


def options() -> list[Option]:
    """All options, in the order of the help."""
    found = [Option(("-h", "--help"), "print the options"), Option(("-c", "--config"), CONFIG_HELP, "PATH", (), "file")]
    found.append(Option(("--paste",), PASTE_HELP, "PATH", (), "file"))
    found += [Option((*SHORT_FORMS.get(name, ()), name), help) for name, help in COMMANDS.items()]
    found.append(Option(("--completion",), COMPLETION_HELP, "SHELL", SHELLS))
    for setting in SETTINGS.values():
        kind = setting.kind
        shown = setting.flags[: setting.flags.index(setting.flag) + 1]
        found.append(Option(shown, setting.help, kind.metavar, kind.words, kind.completes, kind.repeatable))
    return found


def options_of(subcommand: Subcommand) -> list[Option]:
    """The options of a subcommand."""
    own = [Option(flag.names, flag.help, flag.metavar, (), flag.completes) for flag in subcommand.flags]
    return [Option(("-h", "--help"), "print the options"), *own]


def script(shell: str) -> str:
    """The script for one of SHELLS. Raises UsageError for another one."""
    if shell not in SHELLS:
        raise UsageError(f"--completion {shell!r} must be bash, zsh or fish")
    makers: dict[str, Callable[[list[Option]], str]] = {"bash": bash, "zsh": zsh, "fish": fish}
    return makers[shell](options())


BASH = """\
# Completion of fastwsgi for bash: eval "$(fastwsgi --completion bash)"
_fastwsgi() {{
    local IFS=$'\\n' cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}} command=
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=${{COMP_WORDS[COMP_CWORD - 2]}}
    fi
    COMPREPLY=()
    if [[ $COMP_CWORD == 1 && $cur != -* ]]; then
        COMPREPLY=($(compgen -W $'{subcommands}' -- "$cur"))
        return
    fi
    case ${{COMP_WORDS[1]}} in
{commands}
    esac
    case $command$prev in
{cases}
    esac
    if [[ $cur == -* ]]; then
        case $command in
{flags}
        esac
    fi
}}
complete -F _fastwsgi fastwsgi
"""
BASH_ACTIONS = {"file": "-f", "directory": "-d", "user": "-u", "group": "-g"}


def bash(found: list[Option]) -> str:
    """For bash, of version 3.2 or later. The words of a subcommand are told by its name and a blank before them."""
    sets = {"": found, **{f"{name} ": options_of(one) for name, one in SUBCOMMANDS.items()}}
    flags = [
        f"""        "{command}") COMPREPLY=($(compgen -W $'{_lines(_flags(known))}' -- "$cur")) ;;"""
        for command, known in sets.items()
    ]
    return BASH.format(
        subcommands=_lines(SUBCOMMANDS),
        commands=f"    {'|'.join(SUBCOMMANDS)}) command=\"${{COMP_WORDS[1]}} \" ;;",
        cases="\n".join(_bash_case(command, one) for command, known in sets.items() for one in known if one.metavar),
        flags="\n".join(flags),
    )


def _bash_case(command: str, option: Option) -> str:
    """What completes the value of *option*."""
    action = BASH_ACTIONS.get(option.completes)
    if option.words:
        action = f"-W $'{_lines(option.words)}'"
    reply = f'COMPREPLY=($(compgen {action} -- "$cur"))' if action else ""
    if option.completes in ("file", "directory"):
        reply = f"compopt -o filenames 2> /dev/null; {reply}"
    flags = "|".join(f'"{command}"{flag}' if command else flag for flag in option.flags)
    return f"        {flags}) {reply and f'{reply}; '}return ;;"


def _lines(words: Iterable[str]) -> str:
    """The words as lines, inside $'...'."""
    return "\\n".join(words)


ZSH = """\
#compdef fastwsgi
# Completion of fastwsgi for zsh: fastwsgi --completion zsh > a directory of $fpath/_fastwsgi
_fastwsgi() {{
    if (( CURRENT > 2 )); then
        case $words[2] in
{subcommands}
        esac
    fi
    _arguments -s \\
{specifications} \\
        '1:application:(({words}))'
}}
if [[ $funcstack[1] == _fastwsgi ]]; then
    _fastwsgi "$@"
else
    compdef _fastwsgi fastwsgi
fi
"""
ZSH_ACTIONS = {"file": "_files", "directory": "_files -/", "user": "_users", "group": "_groups", "": " "}


def zsh(found: list[Option]) -> str:
    """For zsh's _arguments."""
    parts = []
    for name, subcommand in SUBCOMMANDS.items():
        arguments = _zsh_arguments(options_of(subcommand))
        parts.append(
            f"        {name})\n        shift words; (( CURRENT-- ))\n"
            f"        _arguments -s \\\n{arguments} \\\n        '1:address: '\n        return ;;"
        )
    words = " ".join(f'{name}\\:"{one.help}"' for name, one in SUBCOMMANDS.items())
    return ZSH.format(subcommands="\n".join(parts), specifications=_zsh_arguments(found), words=words)


def _zsh_arguments(found: list[Option]) -> str:
    lines = []
    for option in found:
        text = option.help
        for character in "\\[]:":
            text = text.replace(character, f"\\{character}")
        action = f"({' '.join(option.words)})" if option.words else ZSH_ACTIONS[option.completes]
        metavar = "" if option.words else option.metavar.lower()
        value = f":{metavar.replace(':', '') or 'value'}:{action}" if option.metavar else ""
        others = "*" if option.repeatable else f"({' '.join(option.flags)})" if len(option.flags) > 1 else ""
        for flag in option.flags:
            sign = ("=" if flag.startswith("--") else "+") if option.metavar else ""
            lines.append("        " + _quoted(f"{others}{flag}{sign}[{text}]{value}"))
    return " \\\n".join(lines)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


FISH_ACTIONS = {
    "file": "-r -F",
    "directory": "-x -a '(__fish_complete_directories)'",
    "user": "-x -a '(__fish_complete_users)'",
    "group": "-x -a '(__fish_complete_groups)'",
    "": "-x",
}


def fish(found: list[Option]) -> str:
    """For fish."""
    lines = ["# Completion of fastwsgi for fish: fastwsgi --completion fish | source", "complete -c fastwsgi -f"]
    for name, subcommand in SUBCOMMANDS.items():
        lines.append(f"complete -c fastwsgi -n __fish_use_subcommand -a {name} -d {_fish_quoted(subcommand.help)}")
        lines += _fish_options(f"__fish_seen_subcommand_from {name}", options_of(subcommand))
    lines += _fish_options(f"not __fish_seen_subcommand_from {' '.join(SUBCOMMANDS)}", found)
    return "\n".join(lines) + "\n"


def _fish_options(condition: str, found: list[Option]) -> list[str]:
    lines = []
    for option in found:
        flags = [f"-s {flag[1:]}" if len(flag) == 2 else f"-l {flag[2:]}" for flag in option.flags]
        action = f"-x -a '{' '.join(option.words)}'" if option.words else FISH_ACTIONS[option.completes]
        words = ["complete -c fastwsgi", f"-n '{condition}'", *flags, *([action] if option.metavar else [])]
        lines.append(" ".join([*words, f"-d {_fish_quoted(option.help)}"]))
    return lines


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _flags(found: Iterable[Option]) -> list[str]:
    return [flag for option in found for flag in option.flags]
