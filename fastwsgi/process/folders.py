"""The folders of files that the settings name: checked before workers start, opened in each of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Callable

from fastwsgi.mistakes import WrongValue
from fastwsgi.observe.logs import error_log
from fastwsgi.originals import os
from fastwsgi.static.beneath import open_folder, opener
from fastwsgi.static.names import Immutable, read_mount

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings
    from fastwsgi.static.handed import Sender
    from fastwsgi.static.names import Mount
    from fastwsgi.static.site import Folder, StaticFiles


def check_folders(settings: Settings) -> None:
    """Refuse a folder for files that is none. Raises WrongValue."""
    for flag, mounts in (("--static", settings.static), ("--x-sendfile", settings.x_sendfile)):
        for text in mounts:
            folder = read_mount(text).folder
            try:
                os.close(open_folder(folder))
            except OSError as error:
                raise WrongValue(flag, f"{text}: {folder}: {error.strerror}") from None


def static_files(
    build: SimpleNamespace,
    settings: Settings,
    log_error: Callable[[str, BaseException | None], None],
    base: str = "",
    loops: int = 1,
) -> StaticFiles | None:
    """The files that are routes, for one of *loops*, if *settings* ask for any; folders are named from *base*."""
    if not settings.static:
        return None
    from fastwsgi.static.site import StaticFiles

    folders = _folders(build, settings.static, base)
    immutable = Immutable(settings.static_immutable)
    return StaticFiles(folders, immutable, settings.static_max_age, settings.static_index, log_error, loops)


def file_sender(build: SimpleNamespace, settings: Settings, base: str = "") -> Sender | None:
    """What sends the files that the application names, if *settings* let it name any."""
    if not settings.x_sendfile:
        return None
    from fastwsgi.static.handed import Sender

    return Sender(_folders(build, settings.x_sendfile, base))


def _folders(build: SimpleNamespace, mounts: list[str], base: str) -> list[Folder]:
    """Those of *mounts*, each ROUTE=DIR."""
    from fastwsgi.static.site import Folder

    way = opener(build.openat2 and build.openat2.open_beneath)
    given = [read_mount(text) for text in mounts]
    return [Folder(one._replace(folder=_path(one, base)), way) for one in given]


def warn_of_folders(settings: Settings, base: str = "") -> None:
    """Log which folders this process, perhaps another user's than the one that has checked them, may not use."""
    for text in (*settings.static, *settings.x_sendfile):
        path = _path(read_mount(text), base)
        if not os.access(path, os.X_OK):
            error_log.warning("the user of the workers may not open files in %s: none is sent", path)


def _path(mount: Mount, base: str) -> str:
    return os.path.abspath(os.path.join(base, mount.folder))
