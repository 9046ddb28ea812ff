"""The server of `pserve production.ini`, and of all that follows PasteDeploy.

    [server:main]
    use = egg:fastwsgi-server#main
    host = 127.0.0.1
    port = 6543

The entry point group `paste.server_runner` names `main`, which is given the application. So pserve has loaded it, once,
and workers are forked from that process: a reload cannot renew it. With `fastwsgi --paste` (paste_file.py) it can.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from fastwsgi import cli
from fastwsgi.contrib.paste_settings import read
from fastwsgi.leaving import end_process
from fastwsgi.mistakes import Mistake, UsageError, WrongValue
from fastwsgi.notices import Notices, to_stderr
from fastwsgi.originals import os
from fastwsgi.process import exit_functions, single, supervisor
from fastwsgi.process.deployment import FixedDeployment
from fastwsgi.settings.keywords import OF_THE_COMMAND
from fastwsgi.settings.rules import remarks
from fastwsgi.settings.settings import SETTINGS, SettingError, Settings
from fastwsgi.settings.sources import usage_error

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

MADE_ONCE = "pserve loads the application and the file once; SIGUSR2 or a restart loads them anew"
REMEDY = "restart pserve, or give workers = 2, with which SIGUSR2 loads all anew"


def main(app: WSGIApplication, global_conf: Mapping[str, str] | None = None, /, **conf: str) -> None:
    """Serve *app* until SIGTERM or SIGINT; a server runner of PasteDeploy's.

    Args:
        app: the application.
        global_conf: PasteDeploy's, with the name of the INI file.
        **conf: the section's other keys, which are settings.

    Raises:
        SystemExit: it cannot be served, which is told.
    """
    general = global_conf or {}
    code = cli.exit_code_of(partial(serve, app, conf, general.get("__file__", "")))
    if code and is_pserve(general):  # which would make a SystemExit the exit code 0
        end_process(code)
    if code:
        raise SystemExit(code)


def is_pserve(general: Mapping[str, str]) -> bool:
    """Whether pserve has read the file; before Pyramid 2.1 only its name tells."""
    return "__script__" in general or os.path.basename(sys.argv[0]).startswith("pserve")


def serve(app: WSGIApplication, conf: Mapping[str, str], path: str) -> int:
    """Serve *app* with the section *conf* of the INI file *path*; the exit code. Raises Mistake."""
    layer = read(conf, path)
    for name, given in layer.items():
        if name in OF_THE_COMMAND:
            raise UsageError(f"{given.origin} comes too late: the application is loaded already")
        if name == "reload":
            raise UsageError(f"{given.origin} is not for pserve: pserve --reload watches the files")
    try:
        settings = Settings(**{name: given.value for name, given in layer.items()})
    except SettingError as error:
        raise usage_error(error, layer) from None
    notices = Notices()
    for line in remarks(settings, layer):
        notices(line)
    try:
        return run(LoadedDeployment(app, settings), notices)
    except WrongValue as mistake:
        raise mistake.told({SETTINGS[name].flag: given.origin for name, given in layer.items()}) from None
    except OSError as error:
        raise Mistake(str(error)) from None
    finally:
        notices.pass_on(lambda line: to_stderr(f"fastwsgi: {line}"))


def run(deployment: LoadedDeployment, notices: Notices) -> int:
    """Serve in this process, or with a supervisor if settings need one; the exit code."""
    settings, build = deployment.current, cli.loaded_build()
    if supervisor.is_needed(settings):
        exit_functions.begin_command()  # the application has registered its own by now
        return supervisor.run(deployment, build, notices)
    single.run(deployment.load(settings), settings, build, notices, REMEDY)
    return 0


class LoadedDeployment(FixedDeployment):
    """An application that pserve has loaded, and the settings of its file.

    Attributes:
        current: the settings.
    """

    def __init__(self, app: WSGIApplication, settings: Settings) -> None:
        super().__init__(app, settings)
        self.current = settings
        self._asked = False

    def settings(self) -> Settings:
        """The settings, for the start. Raises Mistake for a reload, which would renew nothing."""
        if self._asked:
            raise Mistake(MADE_ONCE)
        self._asked = True
        return self.current
