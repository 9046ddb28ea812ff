"""User and group: those that the settings name, and how a process takes them for good."""

from __future__ import annotations

import grp
import pwd
import re
from typing import TYPE_CHECKING

from fastwsgi.mistakes import WrongValue
from fastwsgi.originals import os

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings

ID_MAX = 2**32 - 2  # setuid(2) takes the number above it as "leave as it is"


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
        _require_root("--user", text)
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
        _require_root("--group", text)
    return gid


def drop_privileges(uid: int, gid: int) -> None:
    """Become this user with this group, for good, and with no other groups than the user's.

    Does nothing if the process is already that user, and not root. Raises OSError if it is not allowed.
    """
    if (os.geteuid(), os.getegid()) == (uid, gid) and uid != 0:
        return
    try:
        os.initgroups(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:
        os.setgroups([gid])
    os.setgid(gid)  # before setuid(), which gives up the right to do it
    os.setuid(uid)


def _number(text: str) -> int | None:
    """An ID given as a number."""
    return int(text) if re.fullmatch("[0-9]{1,10}", text) and int(text) <= ID_MAX else None


def _group_of(uid: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return os.getegid()


def _require_root(option: str, text: str) -> None:
    if os.geteuid() != 0:
        raise WrongValue(option, f"{text}: only root may choose it; start as root, or leave it out")
