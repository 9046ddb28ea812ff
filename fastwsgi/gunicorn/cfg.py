"""The `cfg` and `log` of gunicorn's server hooks, made of our settings and our logger."""

from __future__ import annotations

import grp
import logging
import pwd
from typing import TYPE_CHECKING, Any, Callable, Union

from fastwsgi.gunicorn import absent
from fastwsgi.gunicorn.translations import TRANSLATIONS
from fastwsgi.gunicorn.unsupported import UNSUPPORTED
from fastwsgi.originals import os
from fastwsgi.records import NamedTuple
from fastwsgi.server.addresses import Tcp, Unix, parse_address

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings

Address = Union[tuple[str, int], str, int]
"""A host and its port, the path of a unix socket, or a file descriptor."""


def _as_in_gunicorn() -> dict[str, Callable[[Settings], Any]]:
    """AS_IN_GUNICORN. (A function: mypy has to know the class before it looks at its attributes.)"""
    return {
        "bind": lambda settings: ["[::]" + one[1:] if one.startswith("*:") else one for one in settings.bind],
        "cert_reqs": lambda settings: {"none": 0, "optional": 1, "required": 2}[settings.cert_reqs],
        "certfile": lambda settings: next(iter(settings.certfile), None),
        "chdir": lambda settings: settings.chdir or os.getcwd(),
        "env": lambda settings: dict(one.split("=", 1) for one in settings.env),
        "env_orig": lambda settings: dict(os.environ),
        **dict.fromkeys(("gid", "group"), lambda settings: _group(settings)),
        "is_ssl": lambda settings: bool(settings.certfile),
        "logconfig_dict": lambda settings: settings.log_config if isinstance(settings.log_config, dict) else {},
        "logconfig": lambda settings: settings.log_config if isinstance(settings.log_config, str) else None,
        "logconfig_json": lambda settings: None,
        "keyfile": lambda settings: next(iter(settings.keyfile), None),
        "proxy_protocol": lambda settings: "off" if settings.proxy_protocol == "off" else "auto",
        "pythonpath": lambda settings: ",".join(settings.pythonpath) or None,
        **dict.fromkeys(("uid", "user"), lambda settings: _user(settings)),
        "umask": lambda settings: int(settings.umask or "0", 8),
        "worker_class": lambda settings: "gthread" if settings.threads > 1 else "sync",
        "worker_class_str": lambda settings: "gthread" if settings.threads > 1 else "sync",
    }


AS_IN_GUNICORN = _as_in_gunicorn()
"""The attributes whose values gunicorn has in another form than we have them."""


class SettingView(NamedTuple):
    """One of `cfg.settings`."""

    name: str
    value: object

    def get(self) -> object:
        """The value."""
        return self.value


class Cfg:
    """The settings under gunicorn's names, and under ours; what we do not have is as it is where it is not used.

    Args:
        settings: the values.
        app: what is served, as it was named, or "".
    """

    def __init__(self, settings: Settings, app: str = "") -> None:
        self._settings = settings
        self._app = app

    def __getattr__(self, name: str) -> Any:
        """The value of a setting, of any type."""
        if name.startswith("__"):
            raise AttributeError(name)
        if name in AS_IN_GUNICORN:
            return AS_IN_GUNICORN[name](self._settings)
        if name in TRANSLATIONS and hasattr(self._settings, TRANSLATIONS[name].ours):
            return _whole(getattr(self._settings, TRANSLATIONS[name].ours))
        if hasattr(self._settings, name):
            return _whole(getattr(self._settings, name))
        if name in UNSUPPORTED:
            return next(iter(UNSUPPORTED[name].harmless), None)
        raise AttributeError(f"fastwsgi has no setting {name!r}")

    @property
    def wsgi_app(self) -> str:
        """What is served, as it was named."""
        return self._app

    @property
    def default_proc_name(self) -> str:
        """The name in the process list if none is given."""
        return self._app or "fastwsgi"

    @property
    def proc_name(self) -> str:
        """The name in the process list, or else that of the application."""
        return self._settings.proc_name or self.default_proc_name

    @property
    def address(self) -> list[Address]:
        """The addresses on which the server was told to listen."""
        return [_address(text) for text in self.bind]

    @property
    def settings(self) -> dict[str, SettingView]:
        """All settings, by gunicorn's names."""
        return {name: SettingView(name, getattr(self, name)) for name in (*TRANSLATIONS, *UNSUPPORTED)}

    def set(self, name: str, value: object) -> None:
        """Refuse to change a setting: a change of the object would not reach those who have read it."""
        raise AttributeError(f"settings do not change while the server runs: write {name} into the configuration file")


def _user(settings: Settings) -> int:
    """The ID of the user that workers run as."""
    name = settings.user
    if name is None:
        return os.geteuid()
    return int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid


def _group(settings: Settings) -> int:
    """The ID of the group that workers run as: that of their user, if none is named."""
    name = settings.group
    if name is None:
        return os.getegid() if settings.user is None else pwd.getpwuid(_user(settings)).pw_gid
    return int(name) if name.isdigit() else grp.getgrnam(name).gr_gid


def _whole(value: Any) -> Any:
    """A number of seconds as an integer if it is one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _address(text: str) -> Address:
    address = parse_address(text)
    if isinstance(address, Tcp):
        return address.host, address.port
    return address.path if isinstance(address, Unix) else address.fd


class Log:
    """A logger with the additional attributes of gunicorn's."""

    def __init__(self, logger: logging.Logger) -> None:
        self.error_log = logger
        self.access_log = logging.getLogger("fastwsgi.access")

    def __getattr__(self, name: str) -> Any:
        """An attribute of the logger."""
        if name == "error_log":
            raise AttributeError(name)
        if name in absent.OF_LOG:
            raise absent.missing("log", name, absent.OF_LOG)
        return getattr(self.error_log, name)
