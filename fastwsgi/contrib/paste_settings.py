"""The settings in the [server:...] section of a PasteDeploy file, where every value is text."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fastwsgi.gunicorn.file import FileValues
from fastwsgi.mistakes import UsageError
from fastwsgi.originals import os
from fastwsgi.server.addresses import join_address
from fastwsgi.settings import files, habits
from fastwsgi.settings.given import Given, Layer
from fastwsgi.settings.keys import KEYS
from fastwsgi.settings.setting import SettingError
from fastwsgi.settings.settings import SETTINGS

HOST, PORT = "127.0.0.1", "8000"
FILE_NAMES = ("PATH", "DIRS", "ROUTE=DIR")  # may have blanks, so that only lines and commas divide them


def read(conf: Mapping[str, str], path: str) -> Layer:
    """The settings of a section. Raises UsageError, which names the key.

    Args:
        conf: its keys and values; host and port are bind.
        path: the file, for messages.
    """
    file = FileValues(f"{os.path.basename(path)} [server]".lstrip())
    values = dict(conf)
    address = [(key, values.pop(key)) for key in ("host", "port") if key in values]
    try:
        habits.refuse_keys(values, quoted=False)
    except UsageError as error:
        raise UsageError(f"{file.name}: {error}") from None
    for key, text in values.items():
        bare = key.replace("-", "_")
        if bare == "app":
            raise UsageError(f"{file.name}: app is another section of the file")
        files.take(file, key, _value(file.name, bare, text) if bare in KEYS else text)
    layer = {name: Given(value, f"{file.name}: {file.keys[name]}") for name, value in file.values.items()}
    if address:
        if "bind" in layer:
            raise UsageError(f"{file.name}: {address[0][0]} is a part of bind: leave one out")
        bind = join_address(**{"host": HOST, "port": PORT, **dict(address)})
        layer["bind"] = Given([bind], f"{file.name}: {' and '.join(key for key, _ in address)}")
    return layer


def _value(where: str, key: str, text: str) -> object:
    """The meaning of *text*; blanks and lines divide lists, as commas do. Raises UsageError."""
    setting = SETTINGS[KEYS[key][0]]
    if setting.kind.repeatable and setting.name != "env":
        blanks = r"\s*[,\n]\s*" if setting.kind.metavar in FILE_NAMES else r"[\s,]+"
        text = ",".join(filter(None, re.split(blanks, text.strip())))
    try:
        return setting.read_text(text)
    except SettingError as error:
        raise UsageError(f"{where}: {key} {error.problem}") from None
