"""User and group: those that the settings name, and how a process takes them for good."""

from __future__ import annotations

import grp
import pwd
import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from fastwsgi.mistakes import Mistake, WrongValue
from fastwsgi.originals import os

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings

CAP_SETGID, CAP_SETUID = 6, 7  # numbers of bits, capabilities(7)
ID_MAX = 2**32 - 2  # setuid(2) takes the number above it as "leave as it is"
NEEDED_LATER = ("ast", "difflib", "inspect", "pkgutil", "random", "tempfile")
"""Modules that a worker may import when it serves already: another user may not be allowed to read their files."""


def worker_ids(settings: Settings) -> tuple[int, int] | None:
    """The user and group IDs that workers take, or None if they keep those of the supervisor. Raises Mistake."""
    if settings.user is None and settings.group is None:
        return None
    uid, gid = (os.geteuid(), os.getegid()) if settings.user is None else resolve_user(settings.user)
    return uid, gid if settings.group is None else resolve_group(settings.group)


def resolve_user(text: str) -> tuple[int, int]:
    """The ID of a user, given by name or number, and of its group (this process's for a number without an account).

    Raises:
        Mistake: there is none, or this process may not become it.
    """
    try:
        account = pwd.getpwnam(text)
    except KeyError:
        uid = _number(text)
        if uid is None:
            raise WrongValue(
                "--user", f"{text}: there is no such user; give the name of an account, or a number"
            ) from None
        gid = _group_of(uid)
    else:
        uid, gid = account.pw_uid, account.pw_gid
    if uid != os.geteuid():
        _require(CAP_SETUID, "--user", text)
        _require(CAP_SETGID, "--user", text)
    return uid, gid


def resolve_group(text: str) -> int:
    """The ID of a group, given by name or number.

    Raises:
        Mistake: there is none, or this process may not have it.
    """
    try:
        gid: int | None = grp.getgrnam(text).gr_gid
    except KeyError:
        gid = _number(text)
    if gid is None:
        raise WrongValue("--group", f"{text}: there is no such group; give the name of one, or a number")
    if gid != os.getegid():
        _require(CAP_SETGID, "--group", text)
    return gid


def drop_privileges(uid: int, gid: int) -> None:
    """Become this user with this group, for good, and with no other groups than the user's.

    Does nothing if the process is already that user, and not root. Raises Mistake if it is not allowed.
    """
    if (os.geteuid(), os.getegid()) == (uid, gid) and uid != 0:
        return
    for name in NEEDED_LATER:
        import_module(name)
    try:
        _set_groups(uid, gid)
        os.setgid(gid)  # before setuid(), which gives up the right to do it
        os.setuid(uid)
    except OSError as error:
        raise Mistake(f"the process cannot become user {uid} with group {gid}: {error.strerror}") from None


def _set_groups(uid: int, gid: int) -> None:
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        os.setgroups([gid])
    else:
        os.initgroups(name, gid)


def hint_at_directory() -> str:
    """The end of a line about an application that cannot be loaded, if this user cannot read where it should be."""
    if os.access(".", os.R_OK | os.X_OK):
        return ""
    return f" (user {os.geteuid()} cannot read the directory {os.getcwd()})"


def _number(text: str) -> int | None:
    """An ID given as a number."""
    return int(text) if re.fullmatch("[0-9]{1,10}", text) and int(text) <= ID_MAX else None


def _group_of(uid: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return os.getegid()


def _require(capability: int, option: str, text: str) -> None:
    if not _has(capability):
        line = "only root may choose it; start as root, or leave it out"
        if os.geteuid() == 0:
            name = "CAP_SETUID" if capability == CAP_SETUID else "CAP_SETGID"
            line = f"this root lacks the capability {name}, as in a container that drops it; start as that user instead"
        raise WrongValue(option, f"{text}: {line}")


def _has(capability: int) -> bool:
    """Whether this process has a capability: root may lack it, and others may have it."""
    try:
        status = Path("/proc/self/status").read_text()
        effective = int(status.partition("CapEff:")[2].split()[0], 16)
    except (OSError, ValueError, IndexError):
        return os.geteuid() == 0
    return bool(effective >> capability & 1)
