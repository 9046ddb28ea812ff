"""Plain sockets as a Wire, in pure Python: the specification of _sockio_c.pyx.

All sockets are non-blocking, and named by their file descriptors alone: a connection costs no socket object.
"""

from __future__ import annotations

import errno
import fcntl
import struct
import sys
import termios
from typing import TYPE_CHECKING

from fastwsgi.figures import ACCEPTED, RECEIVED, SENT
from fastwsgi.http._meter_py import Meter
from fastwsgi.http._wire_py import Wire
from fastwsgi.http.transport import BODY_SIZE, LOST, READ_SIZE, WOULD_BLOCK
from fastwsgi.originals import accept, os, socket
from fastwsgi.server.readiness import presence

if TYPE_CHECKING:
    from fastwsgi.http._inbox_py import Inbox, Room
    from fastwsgi.http._outbox_py import OutBuffer

_SO_NWRITE = 0x1024  # of macOS's sys/socket.h; Python has no name for it
_UNREADABLE = (errno.EIO, errno.EINVAL, errno.ESTALE)  # of sendfile(), about the file
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close sends RST


class SocketWire(Wire):
    """Moves bytes between non-blocking sockets and buffers; *meter* counts them, and what is accepted."""

    can_send_files = hasattr(os, "sendfile")

    def __init__(self, meter: Meter | None = None) -> None:
        self._meter = meter or Meter()

    def accept(self, listener: socket.socket) -> tuple[int, str, str]:
        """Take a connection off the backlog of *listener*.

        Returns:
            Its file descriptor, or a negative errno (-EAGAIN when none waits), and the host and port of the client, ""
            for a unix socket.
        """
        try:
            fd, address = accept(listener)
        except OSError as error:
            return -(error.errno or errno.EIO), "", ""
        self._meter.add(ACCEPTED, 1)
        host, port = address[:2] if isinstance(address, tuple) else ("", "")
        return fd, host, str(port)

    def receive(self, fd: int, inbox: Inbox, rest: bytes | None) -> int:
        """Begin *inbox* anew with *rest* and what has arrived: bytes read, 0 at the end, WOULD_BLOCK or LOST."""
        inbox.fill(rest or b"")
        kept = inbox.end
        try:
            count = os.readv(fd, [inbox.view[kept : kept + READ_SIZE]])
        except BlockingIOError:
            return WOULD_BLOCK
        except OSError:
            return LOST
        self._meter.add(RECEIVED, count)
        inbox.end += count
        return count

    def receive_into(self, fd: int, inbox: Inbox, room: Room) -> int:
        """Empty *inbox*, and receive into *room*, which is not full; the result is receive()'s."""
        inbox.fill(b"")
        try:
            data = os.read(fd, min(BODY_SIZE, room.most - room.size))
        except BlockingIOError:
            return WOULD_BLOCK
        except OSError:
            return LOST
        self._meter.add(RECEIVED, len(data))
        room.add(data)
        return len(data)

    def send(self, fd: int, out: OutBuffer) -> int:
        """Send what *out* holds: bytes left (0 when it is empty), or LOST."""
        while out.size:
            try:
                count = os.writev(fd, out.parts[:64])
            except BlockingIOError:
                break
            except OSError:
                return LOST
            if count == 0:  # no progress, and there would be none
                return LOST
            self._meter.add(SENT, count)
            out.sent(count)
        return out.size

    def send_file(self, fd: int, file: int, offset: int, count: int) -> int:
        """Send up to *count* bytes of the open *file* from *offset*: bytes sent, WOULD_BLOCK or LOST.

        One that cannot be read has no more bytes: so the exchange reports that the body is too short.
        """
        try:
            sent = os.sendfile(fd, file, offset, count)
        except BlockingIOError:
            return WOULD_BLOCK
        except OSError as error:
            return 0 if error.errno in _UNREADABLE else LOST
        self._meter.add(SENT, sent)
        return sent

    def unsent(self, fd: int) -> int:
        """Bytes that send() has taken and the client has not acknowledged; 0 where that is unknown."""
        if sys.platform == "darwin":
            return _unsent(fd)
        answer = bytearray(4)
        try:
            fcntl.ioctl(fd, termios.TIOCOUTQ, answer)
        except OSError:
            return 0
        return int.from_bytes(answer, sys.byteorder)

    def presence(self, fd: int) -> int:
        """Whether the client is there: a word of transport.py."""
        return presence(fd)

    def finish(self, fd: int) -> None:
        """Signal that nothing more will be sent."""
        try:
            connected = socket.socket(fileno=fd)
        except OSError:
            return  # it was cut
        try:
            connected.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the client was faster
        finally:
            connected.detach()

    def cut(self, fd: int) -> None:
        """Reset the connection; the descriptor, now useless, stays open until it is closed."""
        try:
            connected = socket.socket(fileno=fd)
        except OSError:
            pass  # on macOS: it is reset
        else:
            _reset_on_close(connected)
            connected.detach()
        try:
            nothing = os.open(os.devnull, os.O_RDONLY)
        except OSError:
            return  # out of descriptors: it is reset when it is closed
        os.dup2(nothing, fd, inheritable=False)
        os.close(nothing)

    def close(self, fd: int, reset: bool) -> None:
        """Close; *reset* keeps the client from taking what it has for the whole response."""
        try:
            connected = socket.socket(fileno=fd)
        except OSError:  # it was cut; on macOS, or reset
            os.close(fd)
            return
        if reset:
            _reset_on_close(connected)
        else:
            _end(connected)
        connected.close()


def _reset_on_close(connected: socket.socket) -> None:
    try:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    except OSError:
        pass  # on macOS: both sides have ended


def _unsent(fd: int) -> int:
    """What macOS, which has no TIOCOUTQ for sockets, says of one."""
    try:
        connected = socket.socket(fileno=fd)
    except OSError:
        return 0
    try:
        return connected.getsockopt(socket.SOL_SOCKET, _SO_NWRITE)
    except OSError:
        return 0
    finally:
        connected.detach()


def _end(connected: socket.socket) -> None:
    """Let the client see the end at once, even if a process forked this very moment still has the socket."""
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the client was faster
