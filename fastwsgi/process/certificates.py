"""The certificates of a service: loaded before the workers are forked, and renewed when their files change.

The process that loaded them watches the files. Workers, which may not be allowed to read them, are sent their contents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastwsgi.mistakes import Mistake, current_directory
from fastwsgi.observe.logs import error_log
from fastwsgi.originals import os, time
from fastwsgi.tls import files as tls_files
from fastwsgi.tls.files import Material

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings
    from fastwsgi.tls.contexts import ContextMaker, Tls

CHECK_INTERVAL = 1.0  # seconds


class Certificates:
    """The certificates, keys and authorities that the settings name, if any.

    Attributes:
        tls: made of them; None without a certificate.
        next_check: when to check the files again (time.monotonic()); None: never.

    Args:
        settings: those of TLS are read.
        maker: makes the contexts, if the user has a function for that.

    Raises:
        Mistake: they cannot be used, or settings of TLS exclude each other.
    """

    def __init__(self, settings: Settings, maker: ContextMaker | None = None) -> None:
        tls_files.check(settings)
        self._settings = settings
        self._directory = current_directory() if settings.certfile else ""  # an application may change it
        self._watch = tls_files.Watch([os.path.abspath(path) for _, path in tls_files.paths(settings)])
        self.tls: Tls | None = None
        self.next_check: float | None = None
        if settings.certfile:
            from fastwsgi.tls.contexts import Tls  # `ssl` costs start-up time and memory: only with TLS

            self.tls = Tls(settings, maker=maker)
            self.next_check = time.monotonic() + CHECK_INTERVAL

    @property
    def scheme(self) -> str:
        """The scheme of the service's URLs."""
        return "https" if self.tls is not None else "http"

    @property
    def ends(self) -> list[tuple[str, int]]:
        """The name of each certificate, and when it ends in seconds since 1970."""
        return [] if self.tls is None else self.tls.ends

    def renew_if_changed(self, now: float) -> Material | None:
        """Renew the certificates if a check is due and the files have changed; their contents, or None if not."""
        if self.tls is None or self.next_check is None or now < self.next_check:
            return None
        self.next_check = now + CHECK_INTERVAL
        if not self._watch.look():
            return None
        try:
            material = tls_files.read(self._settings, self._directory)
            self.tls.renew(material)
        except Mistake as mistake:
            error_log.error("the certificates are not renewed, those of before go on: %s", mistake)
            return None
        error_log.info("the certificates are renewed")
        return material

    def tick(self) -> None:
        """Renew them if it is time; called each second by the loop of a process that serves alone."""
        self.renew_if_changed(time.monotonic())
