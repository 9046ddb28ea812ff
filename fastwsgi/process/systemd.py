"""The protocol between systemd and a service: sockets that it passes, the service's state, and the watchdog.

It consists of environment variables and datagrams (sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3)). Without
systemd nothing happens.
"""

from __future__ import annotations

from fastwsgi.originals import os, socket

FIRST_FD = 3  # SD_LISTEN_FDS_START
SEND_SECONDS = 1.0  # the longest that notify() waits for room in systemd's queue


def listen_fds() -> list[int]:
    """The file descriptors that systemd has passed, now close-on-exec; the variables that announced them are removed.

    Empty when there are none, or when they were meant for another process.
    """
    pid, count, _ = (os.environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"))
    passed: list[int] = []
    if pid != str(os.getpid()) or not _is_number(count):
        return passed
    for fd in range(FIRST_FD, FIRST_FD + int(count)):
        try:
            os.set_inheritable(fd, False)
        except OSError:
            break  # it is not open: the count is wrong
        passed.append(fd)
    return passed


def notify(text: str) -> None:
    """Send systemd lines of sd_notify(3), such as "READY=1"; never raises, and does nothing without NOTIFY_SOCKET."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address.startswith("@"):
        address = "\0" + address[1:]
    elif not address.startswith("/"):
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(SEND_SECONDS)
            sender.sendto(text.encode(errors="replace"), address)
    except (OSError, ValueError):
        pass  # systemd is not listening


def watchdog_interval() -> float | None:
    """Seconds between two notify("WATCHDOG=1"): half the time that systemd allows; None if it expects none."""
    time, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not _is_number(time) or int(time) == 0 or pid not in ("", str(os.getpid())):
        return None
    return int(time) / 2 / 1e6


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20
