"""The manual page, fastwsgi(1), made from the settings: `fastwsgi --manual | man -l -`."""

from __future__ import annotations

from fastwsgi.settings.arguments import COMMANDS, COMPLETION_HELP, CONFIG_HELP, PASTE_HELP
from fastwsgi.settings.settings import SETTINGS, Setting
from fastwsgi.settings.subcommands import ADDRESS_HELP, SUBCOMMANDS, Subcommand
from fastwsgi.version import VERSION

SYNOPSIS = "\n.br\n".join(
    [
        ".B fastwsgi\n[\\fIOPTIONS\\fR] [\\fIMODULE\\fR[:\\fIATTR\\fR]]",
        *(f".B fastwsgi {name}\n[\\fIOPTIONS\\fR] [\\fIADDRESS\\fR]" for name in SUBCOMMANDS),
    ]
)

DESCRIPTION = """
Serves a WSGI application (PEP 3333) over HTTP/1.1. The application is named by its module and, after a colon, its
attribute in it, "application" or "app" if left out; a call with literal arguments makes one: 'create_app()'.
"""

LOOKING = """
A subcommand looks at a running service by the address of its status-bind, and changes nothing. It is the first word,
and wins over an application of that name, which is served as top:application.
"""

SOURCES = """
A setting is taken from the first of these that has it: the command line; the environment variable of the setting;
GUNICORN_CMD_ARGS; PORT (for bind) and WEB_CONCURRENCY (for workers); the configuration file; the default. Beside a
gunicorn.conf.py, PORT and WEB_CONCURRENCY come last, as they do in gunicorn. A variable that switches takes 1, true,
yes, on or 0, false, no, off; one that lists parts its items by commas.
"""

LEFT_BEHIND = """
A worker that ends by a stop, a reload, recycling or a call past its timeout waits for its requests, then for the
threads and executors of the application, then runs its exit functions (atexit, weakref.finalize): within
graceful-timeout, after which a line says what was not waited for. Calls past their timeout are not waited for. With
preload, what the application registered while it was loaded runs in each worker, and what was registered before it does
not. After QUIT, a second TERM or INT, SIGKILL, or where a C call holds the GIL past the timeout, nothing of it runs.
"""

COVERAGE = """
"coverage run -m fastwsgi MODULE:ATTR" collects what the workers ran with "parallel = true" and "patch = _exit" in the
section [run] of its configuration (coverage 7.10 or later); then "coverage combine".
"""

LOGGERS = {
    "fastwsgi.error": "the entries of the error log: start, stop, workers, refusals, failures of the application",
    "fastwsgi.error.wsgi": "what the application writes to wsgi.errors. Without --log-config it is in the error log as "
    "it is; the handlers of a configuration get what comes up to a flush, or to the end of the request, as one record, "
    "of the level that is set for this logger, or else ERROR",
    "fastwsgi.access": "the access log, for the handlers that a configuration gives it",
}

SIGNALS = {
    "TERM, INT": "stop: answer what is accepted or waiting, at most graceful-timeout seconds, and exit; a second INT "
    "stops at once",
    "QUIT": "stop at once",
    "HUP": "reload: read the configuration anew and replace the workers one by one; if the new code cannot be loaded, "
    "the old workers stay; that of a terminal which is closed stops the server as TERM does, but for nohup",
    "USR1": "reopen the log files",
    "USR2": "start a new binary on the same sockets",
    "TTIN, TTOU": "one worker more, one fewer",
}

EXIT_CODES = {
    "0": "it was stopped, or the check found nothing wrong",
    "1": "the application cannot be loaded or does not answer, or has replaced Python's threads by those of gevent or "
    "eventlet; an address cannot be listened on",
    "2": "an option, a variable or a configuration file is wrong, or what it names cannot be used: a file, "
    "a directory, a certificate, a user",
    "130": "interrupted before it served",
    "others": "that of an application which exits while it is loaded",
}

FILES = {
    "fastwsgi.toml": "settings as TOML keys, with - or _; app = \"MODULE:ATTR\" names the application",
    "pyproject.toml": "the same in the table [tool.fastwsgi]; read if there is no fastwsgi.toml",
    "gunicorn.conf.py": "settings and server hooks of gunicorn's; read only if -c names it",
}

VARIABLES = {
    "FASTWSGI_APP": "the application",
    "FASTWSGI_CONFIG": "the configuration file, as -c",
    "FASTWSGI_BACKEND": "the build to run: c, compiled, or py, pure Python",
    "GUNICORN_CMD_ARGS": "options, as on the command line, below it and the variables of each option",
    "NO_COLOR": "the error log has no colours on a terminal; FORCE_COLOR gives standard error colours, whatever it is",
    "PORT": "the port, on all addresses; HOST is not read",
    "SCRIPT_NAME": "the prefix of paths, where --root-path is not given",
    "WEB_CONCURRENCY": "the number of workers",
}


def page() -> str:
    """The page in the man macros of roff."""
    parts = [
        f'.TH FASTWSGI 1 "" "fastwsgi {VERSION}" "User Commands"\n',
        section("name", "fastwsgi \\- serve a WSGI application"),
        section("synopsis", SYNOPSIS),
        section("description", escaped(DESCRIPTION)),
        section("configuration", escaped(SOURCES)),
        section("options", commands() + "".join(map(group, dict.fromkeys(s.group for s in SETTINGS.values())))),
        section("looking at a service", escaped(LOOKING) + "\n" + "".join(map(subcommand, SUBCOMMANDS.values()))),
        section("loggers", entries(LOGGERS)),
        section("signals", entries(SIGNALS)),
        section("the end of a worker", escaped(LEFT_BEHIND)),
        section("coverage", escaped(COVERAGE)),
        section("exit status", entries(EXIT_CODES)),
        section("environment", entries(VARIABLES)),
        section("files", entries(FILES)),
    ]
    return "".join(parts)


def section(title: str, text: str) -> str:
    """A section; *text* is roff already."""
    return f".SH {title.upper()}\n{text.strip()}\n"


def entries(texts: dict[str, str]) -> str:
    """A list of terms and what they mean."""
    return "".join(f".TP\n.B {escaped(term)}\n{escaped(sentence(text))}\n" for term, text in texts.items())


def commands() -> str:
    """The entries of the options that are not settings."""
    own = {"-c, --config PATH": CONFIG_HELP, "-h, --help": "print the options", "--paste PATH": PASTE_HELP}
    return entries({**own, **COMMANDS, "--completion SHELL": COMPLETION_HELP})


def subcommand(one: Subcommand) -> str:
    """The part of the manual that is about one subcommand."""
    flags = {f"{', '.join(flag.names)} {flag.metavar}".rstrip(): flag.help for flag in one.flags}
    text = f"{escaped(sentence(one.help))} {escaped(one.more)}"
    return f".SS fastwsgi {one.name}\n{text}\n{entries({'ADDRESS': ADDRESS_HELP, **flags})}"


def group(title: str) -> str:
    """The settings of one group under their heading."""
    settings = [setting for setting in SETTINGS.values() if setting.group == title]
    return f".SS {escaped(title.capitalize())}\n" + "".join(map(entry, settings))


def entry(setting: Setting[object]) -> str:
    """The entry of one setting: its flags, its help, and where else it can be given."""
    value = f" \\fI{escaped(setting.kind.metavar)}\\fR" if setting.kind.metavar else ""
    flags = ", ".join(f"\\fB{escaped(flag)}\\fR" for flag in setting.flags) + value
    facts = [
        *([f"default {setting.shown_default}"] if setting.shown_default else []),
        f"variable {setting.variable}",
        f"key {key(setting)}",
        "changed by a reload" if setting.reloadable else "not changed by a reload",
    ]
    return f".TP\n{flags}\n{escaped(sentence(setting.help))}\n.br\n{escaped(sentence('; '.join(facts)))}\n"


def key(setting: Setting[object]) -> str:
    """The line of a TOML file that sets it; for an on-off setting, with the value that is not the default."""
    if isinstance(setting.default, bool):
        return f"{setting.name} = {str(not setting.default).lower()}"
    return setting.name


def sentence(text: str) -> str:
    """A help text as a sentence."""
    return f"{text[0].upper()}{text[1:]}."


def escaped(text: str) -> str:
    """Plain text for roff: in one line, with backslashes, hyphens and the first character made harmless."""
    line = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return f"\\&{line}" if line.startswith(".") else line
