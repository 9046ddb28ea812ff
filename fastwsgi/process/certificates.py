"""The TLS of a service, made before the workers are forked, and renewed when its files change.

Who made it watches the files. A worker, which may not be allowed to read them, is told what they hold.
"""

from __future__ import annotations

import time
from typing import Any

from fastwsgi.mistakes import Mistake
from fastwsgi.observe.logs import error_log
from fastwsgi.tls import files as tls_files
from fastwsgi.tls.files import Material

CHECK_INTERVAL = 1.0  # seconds between two looks at the files


class Certificates:
    """The certificates, keys and authorities that the settings name, if any.

    Attributes:
        tls: the server.tls.Tls made of them, or None.

    Raises:
        Mistake: they cannot be used, or settings of TLS do not go together.
    """

    def __init__(self, settings: Any) -> None:
        tls_files.check(settings)
        self._settings = settings
        self._watch = tls_files.Watch([path for _, path in tls_files.paths(settings)])
        self.tls: Any = None
        self.next_check: float | None = None  # time.monotonic()
        if settings.certfile:
            from fastwsgi.tls.contexts import Tls  # `ssl` costs start-up time and memory, for those who use it

            self.tls = Tls(settings)
            self.next_check = time.monotonic() + CHECK_INTERVAL

    @property
    def scheme(self) -> str:
        """That of the URLs."""
        return "https" if self.tls is not None else "http"

    def renew_if_changed(self, now: float) -> Material | None:
        """Renew the certificates if it is time to look and the files have changed; returns what they hold then."""
        if self.next_check is None or now < self.next_check:
            return None
        self.next_check = now + CHECK_INTERVAL
        if not self._watch.look():
            return None
        try:
            material = tls_files.read(self._settings)
            self.tls.renew(material)
        except Mistake as mistake:
            error_log.error("the certificates are not renewed, those of before go on: %s", mistake)
            return None
        error_log.info("the certificates are renewed")
        return material

    def tick(self) -> None:
        """In the loop of a process that serves alone: look."""
        self.renew_if_changed(time.monotonic())
