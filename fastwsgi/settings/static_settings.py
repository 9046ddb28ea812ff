"""The settings of the files that the server sends by itself, or for the application."""

from __future__ import annotations

from fastwsgi.settings import kinds, static_kinds
from fastwsgi.settings.setting import Setting
from fastwsgi.static.names import HASHED

FILES = "static files"


class StaticSettings:
    """A part of the table in settings.py."""

    static = Setting(
        FILES,
        static_kinds.mounts(),
        [],
        "send the files in DIR for paths below ROUTE, such as /static=/srv/static; may be given several times",
    )
    static_max_age = Setting(
        FILES, kinds.count(0), 60, "seconds for which clients may keep such a file without asking again"
    )
    static_immutable = Setting(
        FILES,
        static_kinds.immutable(),
        HASHED,
        "names of files that never change: a regular expression, as Django's manifest makes them; empty: none do",
    )
    static_index = Setting(FILES, static_kinds.file_name(), "", "file that answers for its folder, such as index.html")
    x_sendfile = Setting(
        FILES,
        static_kinds.mounts(),
        [],
        "send files in DIR for the application, which names them: X-Sendfile: DIR/x or X-Accel-Redirect: ROUTE/x",
        ("--x-sendfile",),
    )
