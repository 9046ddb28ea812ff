"""What can be known before a service starts: whether it may have the accounts, files and addresses of its settings.

At a start each of these is found by the code that needs it, and the first mistake ends the start; `--check-config` asks
here, to have all of them. Nothing is left open.
"""

from __future__ import annotations

import errno
import stat
from typing import TYPE_CHECKING

from fastwsgi.gunicorn.cfg import Cfg
from fastwsgi.mistakes import Finding, Mistake, WrongValue
from fastwsgi.observe.links import located, open_file
from fastwsgi.originals import os
from fastwsgi.process import accounts
from fastwsgi.process.certificates import Certificates
from fastwsgi.process.folders import check_folders
from fastwsgi.process.pidfile import PidFile
from fastwsgi.process.startup import loop_count
from fastwsgi.server.addresses import Tcp, Unix, parse_address
from fastwsgi.server.bind import BindError, open_listener
from fastwsgi.server.unix_sockets import check_path
from fastwsgi.status.scoreboard import check_number

if TYPE_CHECKING:
    from fastwsgi.gunicorn.hooks import Hooks
    from fastwsgi.settings.settings import Settings


def check(settings: Settings, finding: Finding, hooks: Hooks) -> list[str]:
    """Look for mistakes, and give them to *finding*; the lines returned are worth knowing, but no mistakes."""
    files = (check_access_log, _check_error_log, _check_pid_file, check_folders)
    for look in (check_workers, accounts.worker_ids, *files):
        with finding:
            look(settings)
    with finding:
        Certificates(settings, hooks.context_maker(Cfg(settings)))
    notes: list[str] = []
    for address in () if os.environ.get("LISTEN_FDS") else settings.bind:  # systemd's sockets replace them all
        with finding:
            notes += _check_address(address, settings.reuse_port)
    if settings.status_bind is not None:
        with finding:
            notes += _check_address(settings.status_bind, False, "--status-bind")
    return notes


def check_access_log(settings: Settings) -> None:
    """Refuse a path on which no access log can be opened. Raises WrongValue."""
    _refuse_unwritable("--access-logfile", settings.access_logfile)


def check_workers(settings: Settings) -> int:
    """The number of workers. Raises WrongValue if there is no room for so many, with their loops."""
    return check_number(settings.workers, loop_count(settings))


def _check_error_log(settings: Settings) -> None:
    _refuse_unwritable("--error-logfile", settings.error_logfile)
    if settings.log_config:
        from fastwsgi.observe.log_config import set_up_logging

        set_up_logging(settings.log_config)


def _check_pid_file(settings: Settings) -> None:
    if settings.pid is not None:
        PidFile(settings.pid).check()
        _refuse_unwritable("--pid", settings.pid)


def _refuse_unwritable(flag: str, path: str | None) -> None:
    """Raise WrongValue if a file at *path* cannot be opened for writing, or created there."""
    if path in (None, "-"):
        return
    try:
        try:
            os.close(open_file(path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC))
        except FileNotFoundError:
            with located(path) as place:
                _refuse_closed(place.folder)
    except OSError as error:
        raise WrongValue(flag, f"{path}: {error.strerror}") from None


def _refuse_closed(folder: int) -> None:
    """Raise OSError if no file can be created in *folder*, a descriptor."""
    if os.fstatvfs(folder).f_flag & os.ST_RDONLY:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    if not os.access(".", os.W_OK | os.X_OK, dir_fd=folder):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))


def _is_socket(fd: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(fd).st_mode)
    except OSError:
        return False


def _check_address(text: str, reuse_port: bool, option: str = "--bind") -> list[str]:
    """Open and close a listener. One of this program's on the same port may be the very service, to be reloaded."""
    address = parse_address(text)
    try:
        if isinstance(address, Tcp):
            open_listener(text, reuse_port=reuse_port, option=option).close()
        elif isinstance(address, Unix):
            check_path(address)
        elif not _is_socket(address.fd):
            raise BindError(f"{text} is no open socket: the process that starts this one has to pass a listener")
    except BindError as error:
        if error.is_ours:
            return [f"{text} is in use by a running fastwsgi"]
        raise Mistake(str(error)) from None
    return []
