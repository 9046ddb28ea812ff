"""The decisions about workers: which there should be, and what to do about those that exist. No process, no clock.

One rule brings about the boot, the replacement of dead workers, the rolling reload, recycling and a change of their
number: every position, 0 to size - 1, shall have a worker that is ready, of the present generation, and with no reason
to be replaced. Any other worker keeps serving until its successor at the same position is ready.
"""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from fastwsgi.records import field, record

FIRST_DELAY = 0.1  # seconds, doubled with each worker that dies before it is ready
LONGEST_DELAY = 30.0
SHORT_LIFE = 0.5  # seconds from ready to the end
FREE_DEATHS = 3  # in a row after short lives, for which nothing is delayed
QUIET = 30.0  # seconds without a death, after which those before are forgotten
LONGEST_REST = 5.0  # seconds after such deaths: a request that kills could otherwise keep a service down for longer

State = Literal["booting", "ready", "retiring"]
Outcome = Literal["", "first boot failed", "reload failed", "start delayed", "rest"]


@record
class Member:
    """One worker, with what the decisions need to know.

    Attributes:
        age: the number of workers started up to this one.
        ready_at: when it was ready.
        listens: whether it may still accept connections.
        replace_reason: why it is to have a successor; "" if it is not.
        deadline: when it is killed, once it is retiring.
        timed_out: a request in it has run past its deadline.
    """

    pid: int
    position: int
    generation: int
    age: int
    state: State = "booting"
    ready_at: float = 0.0
    listens: bool = True
    replace_reason: str = ""
    deadline: float = 0.0
    timed_out: bool = False


M = TypeVar("M", bound=Member)


@record
class Fleet(Generic[M]):
    """All workers. The supervisor reports events to it, and asks what to do.

    Attributes:
        members: by process ID.
        served: a worker of any generation has been ready.
        proven: a worker of this generation has been ready.
        hurried: the workers of other generations do not wait for their successors.
        closed: no more workers are started.
        failures: the number of workers in a row that died before they were ready.
        not_before: when the next worker may be started.
        short_lives: the number of workers in a row that died right after they were ready, or were dismissed by then.
        last_death: when the last worker died that was ready, or was dismissed.
        rest_until: when the next worker may be started after these.
        vacated: for positions whose last worker has ended, its age, and why another one will be started.
        first_size: the size at the boot.
    """

    size: int
    generation: int = 0
    members: dict[int, M] = field(default_factory=dict)
    served: bool = False
    proven: bool = False
    hurried: bool = False
    closed: bool = False
    failures: int = 0
    not_before: float = 0.0
    short_lives: int = 0
    last_death: float = float("-inf")
    rest_until: float = 0.0
    vacated: dict[int, tuple[int, str]] = field(default_factory=dict)
    first_size: int = 0

    def __post_init__(self) -> None:
        self.first_size = self.size

    # Events

    def mark_ready(self, member: M, now: float) -> None:
        """Note that *member* serves."""
        member.state = "ready"
        member.ready_at = now
        self.served = True
        self.failures = 0
        self.not_before = 0.0
        if member.generation == self.generation:
            self.proven = True

    def mark_ended(self, member: M, now: float) -> Outcome:
        """Note that *member* is gone; what follows from that, "" if only that it is missing."""
        del self.members[member.pid]
        if member.age >= self.vacated.get(member.position, (0, ""))[0]:
            cause = self._cause(member) if member.state == "retiring" else "crash"
            self.vacated[member.position] = member.age, cause
        if member.state == "retiring" or self.closed:
            return ""
        if member.state == "ready":
            return self._judge_life(now - member.ready_at, now)
        if not self.served:
            return "first boot failed"
        if not self.proven and member.generation == self.generation:
            return "reload failed"
        self.delay_next_start(now)
        return "start delayed"

    def mark_dismissed(self, member: M, now: float) -> Outcome:
        """Note that a hook has *member* replaced; its successor waits as if it had died."""
        return self._judge_life(now - member.ready_at if member.state == "ready" else 0.0, now)

    def _judge_life(self, life: float, now: float) -> Outcome:
        """Replace a worker that served at once, but make the next start wait after several short lives in a row."""
        if life >= SHORT_LIFE or now >= self.last_death + QUIET:
            self.short_lives = 0
        self.last_death = now
        self.short_lives += life < SHORT_LIFE
        if self.short_lives <= FREE_DEATHS:
            return ""
        self.rest_until = now + self.rest
        return "rest"

    @property
    def rest(self) -> float:
        """Seconds from the last death after a short life to the next start."""
        return float(min(LONGEST_REST, FIRST_DELAY * 2 ** min(self.short_lives - FREE_DEATHS, 20)))

    def delay_next_start(self, now: float) -> None:
        """Make the next start wait after one has failed, longer each time."""
        self.failures += 1
        self.not_before = now + self.start_delay

    @property
    def start_delay(self) -> float:
        """Seconds from the last failure to the next start."""
        return float(min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(self.failures, 20)))

    def begin_generation(self, size: int, hurried: bool = False) -> None:
        """Declare all present workers outdated, and forget what befell them."""
        self.failures = self.short_lives = 0
        self.not_before = self.rest_until = 0.0
        self.hurried = hurried
        self.generation += 1
        self.proven = False
        self.size = size

    def return_to_generation(self, generation: int, size: int) -> None:
        """Return to the old workers, since the new generation cannot start."""
        self.generation = generation
        self.hurried = False
        self.proven = True
        self.size = size

    # What to do, in this order: kill, retire, start

    def to_kill(self, now: float) -> list[M]:
        """The workers whose time to retire is over, and the booting ones that are no longer needed."""
        return [
            one
            for one in self.members.values()
            if (one.state == "retiring" and now >= one.deadline)
            or (one.state == "booting" and (one.position >= self.size or one.generation != self.generation))
        ]

    def to_retire(self) -> list[M]:
        """The ready workers whose successor is ready or is not waited for, or whose position is gone."""
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
        if self.closed or now < max(self.not_before, self.rest_until):
            return []
        living = [one for one in self.members.values() if one.state != "retiring"]
        filled = {one.position for one in living}
        empty = [position for position in range(self.size) if position not in filled]
        booting = any(one.state == "booting" for one in living)
        failing = self.failures or self.short_lives > FREE_DEATHS
        cautious = bool(failing) or not self.served  # a single one shows whether it can be done at all
        if empty and not (cautious and booting):
            return empty[:1] if cautious else empty
        if booting:
            return []
        recycling = any(one.replace_reason for one in self.members.values() if one.state == "retiring")
        for one in sorted(living, key=lambda one: one.age):
            if one.generation != self.generation or (one.replace_reason and not recycling):
                return [one.position]
        return []

    def start_reason(self, position: int) -> str:
        """Why a worker is started at *position* now, as one of START_REASONS."""
        newest = max((one for one in self.members.values() if one.position == position), key=_age, default=None)
        if newest is not None:
            return self._cause(newest)
        boot = "boot" if position < self.first_size else "scale"
        return self.vacated.get(position, (0, boot))[1]

    def _cause(self, member: M) -> str:
        """Why *member*, which has not crashed, has a successor."""
        if member.timed_out:
            return "timeout"
        if member.generation != self.generation:
            return "reload"
        return "recycle" if member.replace_reason else "scale"  # its position was gone for a while

    def failing_starts(self, now: float) -> int:
        """How many workers in a row have ended before they were ready, or right after."""
        return self.failures + (self.short_lives if now < self.last_death + QUIET else 0)

    def is_failing(self, now: float) -> bool:
        """Whether new workers do not come up."""
        return self.failing_starts(now) > 0 and (self.failures > 0 or self.short_lives > FREE_DEATHS)

    def next_time(self, now: float) -> float | None:
        """When to ask again, if nothing happens sooner."""
        times = [one.deadline for one in self.members.values() if one.state == "retiring"]
        times += [time for time in (self.not_before, self.rest_until) if time > now]
        return min(times, default=None)

    @property
    def is_settled(self) -> bool:
        """Whether each position has a ready worker of this generation, and no other worker accepts connections."""
        listening = [one for one in self.members.values() if one.listens]
        return len(listening) == self.size and all(
            one.state == "ready" and one.generation == self.generation for one in listening
        )


def _age(member: Member) -> int:
    return member.age
