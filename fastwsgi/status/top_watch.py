"""A service looked at again and again, by a thread: a service that hangs holds up no key."""

from __future__ import annotations

from fastwsgi.daemon import Daemon
from fastwsgi.originals import threading, time
from fastwsgi.status.client import PATIENCE, Document, NoAnswer, Service

LEAST_PATIENCE = 1.0  # seconds


class Watch:
    """The last that was heard of a service.

    Attributes:
        document: its last document.
        trouble: why there is no newer one; "" if all is well.
        heard: when *document* came (time.monotonic()).

    Args:
        document: the first one.
        interval: seconds between two looks.
    """

    def __init__(self, service: Service, document: Document, interval: float) -> None:
        self.service = service
        self.document = document
        self.trouble = ""
        self.heard = time.monotonic()
        self._interval = interval
        self._ends = threading.Event()
        self._wanted = threading.Event()
        self._wanted.set()
        self._thread = Daemon(self._run, "fastwsgi-top")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def is_paused(self) -> bool:
        """Whether it does not look for the time being."""
        return not self._wanted.is_set()

    def pause(self) -> None:
        """Stop looking, or go on."""
        if self._wanted.is_set():
            self._wanted.clear()
        else:
            self._wanted.set()

    def silence(self) -> float:
        """Seconds since the service was heard of."""
        return time.monotonic() - self.heard

    def end(self) -> None:
        """Look no more; a look that hangs is not waited for."""
        self._ends.set()
        self._wanted.set()

    def _run(self) -> None:
        taken = 0.0  # seconds, by the last look
        while not self._ends.wait(max(0.0, self._interval - taken)):
            self._wanted.wait()
            begun = time.monotonic()
            try:
                document = self.service.document(self._patience())
            except NoAnswer as error:
                self.trouble = str(error)
            else:
                if not self.is_paused:
                    self.document, self.trouble, self.heard = document, "", time.monotonic()
            taken = time.monotonic() - begun

    def _patience(self) -> float:
        """Seconds for a look: few while there is trouble, as one that hangs may keep the end of it from being seen."""
        return max(LEAST_PATIENCE, min(PATIENCE, self._interval)) if self.trouble else PATIENCE
