"""Users and groups: looked up here, taken for real by child processes."""

from __future__ import annotations

import grp
import pwd

import pytest

from fastwsgi.mistakes import Mistake
from fastwsgi.originals import os
from fastwsgi.process import accounts
from fastwsgi.process.accounts import resolve_group, resolve_user
from tests.helpers.processes import printed_by

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
NOBODY = pwd.getpwnam("nobody")
UNUSED = 54321  # no account has it


def test_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_has", lambda capability: True)
    group = grp.getgrgid(NOBODY.pw_gid).gr_name
    assert resolve_user("nobody") == resolve_user(str(NOBODY.pw_uid)) == (NOBODY.pw_uid, NOBODY.pw_gid)
    assert resolve_group(group) == resolve_group(str(NOBODY.pw_gid)) == NOBODY.pw_gid
    assert resolve_user(str(UNUSED)) == (UNUSED, os.getegid())
    assert resolve_group(str(UNUSED)) == UNUSED


@pytest.mark.parametrize("text", ["no such", "-1", "4294967295", "99999999999", "\xb2", "", "1.5"])
def test_unknown(text: str) -> None:
    with pytest.raises(Mistake, match="there is no such user"):
        resolve_user(text)
    with pytest.raises(Mistake, match="there is no such group"):
        resolve_group(text)


def test_only_root_becomes_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_has", lambda capability: False)
    monkeypatch.setattr(os, "geteuid", lambda: UNUSED)
    monkeypatch.setattr(os, "getegid", lambda: UNUSED)
    assert resolve_user(str(UNUSED)) == (UNUSED, UNUSED)
    assert resolve_group(str(UNUSED)) == UNUSED
    with pytest.raises(Mistake, match="--user nobody: only root"):
        resolve_user("nobody")
    with pytest.raises(Mistake, match=f"--group {NOBODY.pw_gid}: only root"):
        resolve_group(str(NOBODY.pw_gid))


def test_root_without_the_capability_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "getegid", lambda: 0)
    monkeypatch.setattr(accounts, "_has", lambda capability: capability == accounts.CAP_SETUID)
    with pytest.raises(Mistake, match="--user nobody: this root lacks the capability CAP_SETGID"):
        resolve_user("nobody")
    with pytest.raises(Mistake, match="--group 1: this root lacks the capability CAP_SETGID"):
        resolve_group("1")


BECOME = """
import os
from fastwsgi.process import accounts
accounts.drop_privileges({uid}, {gid})
accounts.drop_privileges({uid}, {gid})
try:
    os.setuid(0)
except PermissionError:
    print((os.getuid(), os.geteuid(), os.getgid(), os.getegid(), sorted(os.getgroups())))
"""


@AS_ROOT
@pytest.mark.parametrize(
    ("uid", "gid"), [(NOBODY.pw_uid, NOBODY.pw_gid), (NOBODY.pw_uid, UNUSED), (UNUSED, UNUSED)]
)
def test_a_process_becomes_another_for_good(uid: int, gid: int) -> None:
    name = pwd.getpwuid(uid).pw_name if uid != UNUSED else ""
    groups = sorted({*(os.getgrouplist(name, gid) if name else []), gid})
    code = f"import os; os.setgroups([0, 4, 27]){BECOME.format(uid=uid, gid=gid)}"
    assert printed_by(code) == (uid, uid, gid, gid, groups)
