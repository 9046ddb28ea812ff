"""Which workers there should be, and what follows from those there are: decisions only, no process and no clock.

One rule brings about the boot, the replacement of dead workers, the rolling reload, recycling and a change of their
number: every position, 0 to size - 1, shall have a worker that is ready, of the present generation, and not worn. A
worker that is none of this goes on until its successor at the same position is ready.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

FIRST_DELAY = 0.1  # seconds, doubled with each worker that dies before it is ready
LONGEST_DELAY = 30.0


@dataclass
class Member:
    """One worker, as the supervisor knows it."""

    pid: int
    position: int
    generation: int
    age: int  # how many were started before it
    state: str = "booting"  # then "ready", then "retiring"
    closed: bool = False  # it accepts no more
    replace_reason: str = ""  # why it wants a successor
    deadline: float = 0.0  # when it is killed, once it is retiring
    slot: Any = None
    channel: Any = None
    view: Any = None  # what hooks see of it


@dataclass
class Fleet:
    """All workers. The supervisor tells what happened, and asks what to do."""

    size: int
    generation: int = 0
    members: dict[int, Member] = field(default_factory=dict)  # by pid
    served: bool = False  # one of them has been ready
    proven: bool = False  # one of this generation has been ready
    hurried: bool = False  # the workers of other generations do not wait for their successors
    closed: bool = False  # nobody is started any more
    failures: int = 0  # deaths before ready in a row
    not_before: float = 0.0  # when the next may be started

    # What happened

    def mark_ready(self, member: Member) -> None:
        """*member* serves."""
        member.state = "ready"
        self.served = True
        self.failures = 0
        self.not_before = 0.0
        if member.generation == self.generation:
            self.proven = True

    def mark_ended(self, member: Member, now: float) -> str:
        """*member* is gone. What that means: "first boot" or "reload" failed, "delay" before the next start, or ""."""
        del self.members[member.pid]
        if member.state != "booting" or self.closed:
            return ""
        if not self.served:
            return "first boot"
        if not self.proven and member.generation == self.generation:
            return "reload"
        self.delay_next_start(now)
        return "delay"

    def delay_next_start(self, now: float) -> None:
        """A start has failed: the next one waits, longer each time."""
        self.failures += 1
        self.not_before = now + self.start_delay

    @property
    def start_delay(self) -> float:
        """Seconds from the last failure to the next start."""
        return float(min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(self.failures, 20)))

    def begin_generation(self, size: int, hurried: bool = False) -> None:
        """All present workers are outdated."""
        self.hurried = hurried
        self.generation += 1
        self.proven = False
        self.size = size

    def return_to_generation(self, generation: int, size: int) -> None:
        """The new generation cannot start: the old workers are right again."""
        self.generation = generation
        self.hurried = False
        self.proven = True
        self.size = size

    # What to do, in this order: kill, retire, start

    def to_kill(self, now: float) -> list[Member]:
        """Those whose time to retire is over, and those that are started in vain."""
        return [
            one
            for one in self.members.values()
            if (one.state == "retiring" and now >= one.deadline)
            or (one.state == "booting" and (one.position >= self.size or one.generation != self.generation))
        ]

    def to_retire(self) -> list[Member]:
        """Those ready whose successor is ready too, or is not waited for, and those at positions that are no more."""
        ready = [one for one in self.members.values() if one.state == "ready"]
        newest: dict[int, int] = {}
        for one in ready:
            newest[one.position] = max(one.age, newest.get(one.position, 0))
        return [
            one
            for one in ready
            if one.position >= self.size
            or one.age < newest[one.position]
            or (self.hurried and one.generation != self.generation)
        ]

    def to_start(self, now: float) -> list[int]:
        """The positions at which a worker is to be started now."""
        if self.closed or now < self.not_before:
            return []
        living = [one for one in self.members.values() if one.state != "retiring"]
        filled = {one.position for one in living}
        empty = [position for position in range(self.size) if position not in filled]
        booting = any(one.state == "booting" for one in living)
        cautious = bool(self.failures) or not self.served  # one shows whether it can be done at all
        if empty and not (cautious and booting):
            return empty[:1] if cautious else empty
        if booting:
            return []
        recycling = any(one.replace_reason for one in self.members.values() if one.state == "retiring")
        for one in sorted(living, key=lambda one: one.age):
            if one.generation != self.generation or (one.replace_reason and not recycling):
                return [one.position]
        return []

    def next_time(self, now: float) -> float | None:
        """When to ask again, if nothing happens before."""
        times = [one.deadline for one in self.members.values() if one.state == "retiring"]
        if self.not_before > now:
            times.append(self.not_before)
        return min(times, default=None)

    @property
    def is_settled(self) -> bool:
        """Whether each position has a ready worker of this generation, and no other worker accepts connections."""
        living = [one for one in self.members.values() if not one.closed]
        return len(living) == self.size and all(
            one.state == "ready" and one.generation == self.generation for one in living
        )
