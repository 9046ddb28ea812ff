"""The kinds of values that only the settings of the status have."""

from __future__ import annotations

from fastwsgi.server.addresses import BindError, parse_address
from fastwsgi.settings.kind import Kind, Unfit


def status_address() -> Kind[str | None]:
    """One address to listen on; empty or None: none."""

    def read(value: object) -> str | None:
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise ValueError("an address, HOST:PORT or unix:/path/of.sock")
        try:
            parse_address(value)
        except BindError as error:
            raise Unfit(str(error)) from None
        return value

    return Kind(read, "ADDRESS", lambda value: value or "")
