"""The kinds of values that only the settings of the status have."""

from __future__ import annotations

import re
from typing import Callable

from fastwsgi.server.addresses import BindError, Inherited, Tcp, Unix, parse_address
from fastwsgi.settings import kinds
from fastwsgi.settings.kind import Kind, Unfit

STATSD_PORT = "8125"
SECRET = re.compile("([^:]*(?:pass|secret|token|key|auth|cred)[^:]*):.*", re.IGNORECASE)


def status_address() -> Kind[str | None]:
    """One address to listen on; empty or None: none."""
    return _address(parse_address)


def statsd_address() -> Kind[str | None]:
    """Where a statsd listens, with its usual port if none is given; empty or None: nowhere."""
    return _address(parse_statsd_address)


def _address(parse: Callable[[str], object]) -> Kind[str | None]:
    """One address that *parse* takes, which raises BindError otherwise."""

    def read(value: object) -> str | None:
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise ValueError("an address, HOST:PORT or unix:/path/of.sock")
        try:
            parse(value)
        except BindError as error:
            raise Unfit(str(error)) from None
        return value

    return Kind(read, "ADDRESS", lambda value: value or "")


def parse_statsd_address(text: str) -> Tcp | Unix:
    """Where the statsd is that *text* names; a host without a port has 8125. Raises BindError."""
    text = text[len("udp://") :] if text.startswith("udp://") else text
    if re.fullmatch("unix:[0-9]+", text):
        return Tcp("unix", int(text[len("unix:") :]))  # a host of that name, as in gunicorn
    is_whole = text.startswith(("unix:", "fd://")) or "/" in text or ":" in text.rpartition("]")[2] or text.isdigit()
    address = parse_address(text if is_whole else f"{text}:{STATSD_PORT}")
    if isinstance(address, Inherited) or (isinstance(address, Tcp) and (address.host in ("", "*") or not address.port)):
        raise BindError(f"{text!r} names no statsd: write HOST:PORT or unix:/path/of.sock")
    return address


def statsd_prefix() -> Kind[str]:
    """The beginning of names; a dot follows it in any case, as in gunicorn."""

    def read(value: object) -> str:
        if value is None:
            return ""
        if not isinstance(value, str) or not re.fullmatch(r"[!-~]*", value) or re.search(r"[:|@#,]", value):
            raise ValueError("ASCII characters without blanks, :, |, @, # and commas, which statsd takes for its own")
        return value

    return Kind(read, "PREFIX")


def statsd_tags() -> Kind[list[str]]:
    """Tags, or none; with commas as text. Values of tags that are named as secrets are, are not shown."""
    several = kinds.texts("TAGS", ",")

    def read(value: object) -> list[str]:
        given = [] if value in ("", [""]) else several.read(value)
        if not all(re.fullmatch(r"[ -~]+", tag) and "|" not in tag for tag in given):
            raise ValueError("tags of ASCII characters without |, such as env:prod,team:shop")
        return given

    def show(tags: list[str]) -> str:
        return ",".join(SECRET.sub(r"\1:...", tag) for tag in tags)

    return Kind(read, "TAGS", show, repeatable=True, parse=lambda text: text.split(","))
