"""Who a process is: its user and group, and its name in the process list."""

from __future__ import annotations

import grp
import os
import pwd
import re

from fastwsgi.mistakes import Mistake

ID_MAX = 2**32 - 2  # the one above means "leave as it is"


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
            raise Mistake(f"--user {text}: there is no such user; give the name of an account, or a number") from None
        gid = _group_of(uid)
    else:
        uid, gid = account.pw_uid, account.pw_gid
    if uid != os.geteuid():
        _require_root(f"--user {text}")
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
        raise Mistake(f"--group {text}: there is no such group; give the name of one, or a number")
    if gid != os.getegid():
        _require_root(f"--group {text}")
    return gid


def drop_privileges(uid: int, gid: int) -> None:
    """Become this user with this group, for good, and with the other groups that the user is in and no more.

    Nothing is done if the process is that user already, and not root. Raises OSError if it may not.
    """
    if (os.geteuid(), os.getegid()) == (uid, gid) and uid != 0:
        return
    try:
        os.initgroups(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:
        os.setgroups([gid])
    os.setgid(gid)  # before setuid(), which takes the right to do it
    os.setuid(uid)


def set_title(text: str) -> None:
    """Show *text* in the process list, if the package setproctitle is installed."""
    try:
        from setproctitle import setproctitle
    except ImportError:
        return
    setproctitle(text)


def _number(text: str) -> int | None:
    """An ID given as a number."""
    return int(text) if re.fullmatch("[0-9]{1,10}", text) and int(text) <= ID_MAX else None


def _group_of(uid: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return os.getegid()


def _require_root(asked: str) -> None:
    if os.geteuid() != 0:
        raise Mistake(f"{asked}: only root may choose it; start as root, or leave it out")
