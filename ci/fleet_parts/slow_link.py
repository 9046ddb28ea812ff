"""A slow link: a machine's cable is replaced by a relay that delays each frame and loses some.

It is what `tc qdisc add dev eth0 root netem delay 20ms 5ms loss 1%` does, for kernels without that module:
two TAP devices, one on the machine, which keeps its addresses, one on the bridge, and a thread between them.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import random
import re
import select
import struct
import threading
import time

from ci.fleet_parts.machines import Machine, command

TUNSETIFF = 0x400454CA
TAP_WITHOUT_HEADER = 0x1002  # IFF_TAP, IFF_NO_PI
FRAME = 65536


class SlowLink:
    """The cable of *machine* from `with` on to its end.

    Args:
        delay: seconds each way.
        jitter: at most so much more, at random, without frames overtaking each other.
        loss: the share of frames that are lost.
    """

    def __init__(self, machine: Machine, delay: float, jitter: float, loss: float) -> None:
        self.machine = machine
        self.delay, self.jitter, self.loss = delay, jitter, loss
        self.chance = random.Random(14)
        self._ending, self._end = os.pipe()
        self._thread = threading.Thread(target=self._relay, daemon=True)

    def __enter__(self) -> SlowLink:
        machine = self.machine
        command("ip", "-n", machine.rack.switch, "link", "set", machine.name, "down")
        text = command("ip", "-n", machine.space, "-o", "link", "show", "eth0")
        hardware = re.findall(r"link/ether (\S+)", text)[0]
        command("ip", "-n", machine.space, "link", "set", "eth0", "name", "eth1")
        command("ip", "-n", machine.space, "address", "flush", "dev", "eth1")
        self._inner, self._outer = self._tap(machine.space, "eth0"), self._tap(machine.rack.switch, "slow")
        command("ip", "-n", machine.rack.switch, "link", "set", "slow", "master", "rack", "up")
        command("ip", "-n", machine.space, "link", "set", "eth1", "down")
        command("ip", "-n", machine.space, "link", "set", "eth0", "address", hardware, "up")
        command("ip", "-n", machine.space, "address", "add", f"{machine.address}/24", "dev", "eth0")
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        os.write(self._end, b"x")
        self._thread.join()
        for fd in (self._inner, self._outer, self._ending, self._end):
            os.close(fd)
        machine = self.machine
        command("ip", "-n", machine.space, "link", "set", "eth1", "name", "eth0")
        command("ip", "-n", machine.space, "link", "set", "eth0", "up")
        command("ip", "-n", machine.space, "address", "add", f"{machine.address}/24", "dev", "eth0")
        machine.cut(up=True)

    @staticmethod
    def _tap(space: str, name: str) -> int:
        """A TAP device *name* in the namespace *space*."""
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        made = f"fw{os.getpid()}"
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", made.encode(), TAP_WITHOUT_HEADER))
        command("ip", "link", "set", made, "netns", space, "name", name)
        return fd

    def _relay(self) -> None:
        waiting: list[tuple[float, int, int, bytes]] = []  # when, order, to whom, what
        last = dict.fromkeys((self._inner, self._outer), 0.0)
        other = {self._inner: self._outer, self._outer: self._inner}
        number = 0
        while True:
            patience = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
            ready = select.select([*other, self._ending], [], [], patience)[0]
            if self._ending in ready:
                return
            for fd in ready:
                frame = os.read(fd, FRAME)
                if self.chance.random() < self.loss:
                    continue
                due = time.monotonic() + self.delay + self.chance.random() * self.jitter
                last[fd] = max(last[fd], due)
                number += 1
                heapq.heappush(waiting, (last[fd], number, other[fd], frame))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, to, frame = heapq.heappop(waiting)
                os.write(to, frame)
