"""Which workers there should be: decisions without processes."""

from __future__ import annotations

from fastwsgi.process.fleet import LONGEST_DELAY, Fleet, Member


class Yard:
    """A fleet for which everything that it wants is done."""

    def __init__(self, size: int) -> None:
        self.fleet = Fleet(size)
        self.now = 100.0
        self.count = 0

    def act(self) -> list[str]:
        """What the fleet wants now, done; as words."""
        said = []
        for one in self.fleet.to_kill(self.now):
            said.append(f"kill {one.pid}")
            one.state, one.deadline = "retiring", self.now + 10
        for one in self.fleet.to_retire():
            said.append(f"retire {one.pid}")
            one.listens = False
            one.state, one.deadline = "retiring", self.now + 30
        for position in self.fleet.to_start(self.now):
            self.count += 1
            said.append(f"start {self.count} at {position}")
            self.fleet.members[self.count] = Member(self.count, position, self.fleet.generation, self.count)
        return said

    def ready(self, pid: int) -> list[str]:
        self.fleet.mark_ready(self.fleet.members[pid], self.now)
        return self.act()

    def end(self, pid: int) -> tuple[str, list[str]]:
        return self.fleet.mark_ended(self.fleet.members[pid], self.now), self.act()

    def booted(self) -> Yard:
        self.act()
        self.ready(1)
        for pid in range(2, self.fleet.size + 1):
            self.ready(pid)
        assert self.act() == []
        assert self.fleet.is_settled
        return self


def test_the_first_boots_alone() -> None:
    yard = Yard(3)
    assert yard.act() == ["start 1 at 0"]
    assert yard.act() == []
    assert yard.ready(1) == ["start 2 at 1", "start 3 at 2"]


def test_a_first_that_dies_is_told_from_later_ones() -> None:
    yard = Yard(2)
    yard.act()
    assert yard.end(1)[0] == "first boot failed"


def test_a_worker_that_has_served_is_replaced_at_once_whatever_number_died() -> None:
    yard = Yard(3).booted()
    assert yard.end(2) == ("", ["start 4 at 1"])
    assert yard.end(3) == ("", ["start 5 at 2"])


def test_deaths_before_ready_delay_the_next_start_and_one_success_forgets_them() -> None:
    yard = Yard(2).booted()
    yard.end(1)
    assert yard.end(3) == ("start delayed", [])
    assert yard.fleet.next_time(yard.now) == yard.now + 0.2
    yard.now += 0.2
    assert yard.act() == ["start 4 at 0"]
    assert yard.end(4) == ("start delayed", [])
    assert yard.fleet.not_before == yard.now + 0.4
    yard.end(2)
    yard.now += 0.4
    assert yard.act() == ["start 5 at 0"]  # one only, though both are wanted
    assert yard.ready(5) == ["start 6 at 1"]


def test_those_that_die_right_after_they_are_ready_are_replaced_more_and_more_slowly() -> None:
    yard = Yard(1).booted()
    delays = []
    for pid in range(1, 12):
        said, _ = yard.end(pid)
        delays.append(round((yard.fleet.next_time(yard.now) or yard.now) - yard.now, 1))
        assert said == ("rest" if delays[-1] else "")
        yard.now += delays[-1]
        yard.act()
        yard.ready(pid + 1)
    assert delays == [0, 0, 0, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5]
    yard.now += 1  # it has served
    assert yard.end(12) == ("", ["start 13 at 0"])


def test_those_that_a_hook_dismisses_before_they_have_served_are_replaced_more_and_more_slowly() -> None:
    yard = Yard(1).booted()
    yard.now += 1
    delays = []
    for pid in range(1, 8):
        yard.fleet.members[pid].replace_reason = "a hook"
        said = yard.fleet.mark_dismissed(yard.fleet.members[pid], yard.now)
        if pid > 1:
            yard.ready(pid)
            yard.end(pid - 1)
        delays.append(round((yard.fleet.next_time(yard.now) or yard.now) - yard.now, 1))
        assert said == ("rest" if delays[-1] else "")
        yard.now += delays[-1]
        yard.act()
    assert delays == [0, 0, 0, 0, 0.2, 0.4, 0.8]  # the first has served
    yard.fleet.begin_generation(1)
    assert yard.fleet.short_lives == 0


def test_short_lives_of_long_ago_are_forgotten() -> None:
    yard = Yard(2).booted()
    yard.fleet.short_lives, yard.fleet.last_death = 9, yard.now - 1
    assert yard.end(1)[0] == "rest"
    yard.now += 31
    yard.act()
    yard.ready(3)
    assert yard.end(3) == ("", ["start 4 at 0"])


def test_a_reload_does_not_wait_for_that_delay() -> None:
    yard = Yard(1).booted()
    yard.fleet.short_lives, yard.fleet.last_death = 5, yard.now
    assert yard.end(1) == ("rest", [])
    yard.fleet.begin_generation(1)
    assert yard.act() == ["start 2 at 0"]


def test_another_that_is_ready_does_not_end_that_delay() -> None:
    yard = Yard(2).booted()
    yard.fleet.short_lives, yard.fleet.last_death = 2, yard.now
    assert yard.end(1) == ("", ["start 3 at 0"])
    assert yard.end(2) == ("rest", [])
    assert yard.ready(3) == []


def test_the_delay_has_a_bound() -> None:
    fleet = Fleet(1)
    for _ in range(2000):
        fleet.delay_next_start(0.0)
    assert fleet.start_delay == LONGEST_DELAY


def test_a_reload_goes_one_by_one_and_never_under_the_full_count() -> None:
    yard = Yard(2).booted()
    yard.fleet.begin_generation(2)
    assert yard.act() == ["start 3 at 0"]
    assert yard.ready(3) == ["retire 1", "start 4 at 1"]
    assert not yard.fleet.is_settled
    assert yard.ready(4) == ["retire 2"]
    assert yard.act() == []
    assert yard.fleet.is_settled


def test_a_reload_that_cannot_start_returns_to_the_old_workers() -> None:
    yard = Yard(2).booted()
    yard.fleet.begin_generation(3)
    assert yard.act() == ["start 3 at 2"]
    assert yard.end(3)[0] == "reload failed"
    yard.fleet.return_to_generation(0, 2)
    assert yard.act() == ["kill 4"]  # which was started at once as position 2 was empty again
    assert yard.end(1)[1] == ["start 5 at 0"]
    assert yard.fleet.members[5].generation == 0


def test_booting_workers_of_an_outdated_generation_are_killed() -> None:
    yard = Yard(2).booted()
    yard.end(2)
    yard.fleet.begin_generation(2)
    assert yard.act() == ["kill 3", "start 4 at 1"]


def test_workers_are_replaced_one_at_a_time() -> None:
    yard = Yard(2).booted()
    for pid in (1, 2):
        yard.fleet.members[pid].replace_reason = "old"
    assert yard.act() == ["start 3 at 0"]
    assert yard.ready(3) == ["retire 1"]
    assert yard.act() == []  # until the first is gone
    assert yard.end(1) == ("", ["start 4 at 1"])


def test_a_successor_that_cannot_start_is_tried_again() -> None:
    yard = Yard(1).booted()
    yard.fleet.members[1].replace_reason = "old"
    yard.act()
    assert yard.end(2) == ("start delayed", [])
    yard.now += 1
    assert yard.act() == ["start 3 at 0"]
    assert yard.ready(3) == ["retire 1"]


def test_a_smaller_fleet_retires_the_workers_at_the_end_and_kills_the_booting_ones() -> None:
    yard = Yard(3).booted()
    yard.end(3)
    yard.fleet.size = 1
    assert yard.act() == ["kill 4", "retire 2"]


def test_a_worker_that_retires_too_long_is_killed() -> None:
    yard = Yard(1).booted()
    yard.fleet.members[1].replace_reason = "old"
    yard.act()
    yard.ready(2)
    assert yard.fleet.next_time(yard.now) == yard.now + 30
    yard.now += 30
    assert yard.act() == ["kill 1"]


def test_no_worker_is_started_after_the_fleet_was_closed() -> None:
    yard = Yard(2).booted()
    yard.fleet.closed = True
    assert yard.end(1) == ("", [])


def test_why_a_worker_is_started() -> None:
    yard = Yard(2)
    assert yard.fleet.start_reason(1) == "boot"
    yard.booted()
    yard.fleet.members[1].replace_reason = "it is old"
    assert yard.fleet.start_reason(0) == "recycle"
    yard.fleet.members[1].timed_out = True
    assert yard.fleet.start_reason(0) == "timeout"
    yard.end(1)
    assert yard.fleet.vacated[0] == (1, "crash")
    yard.ready(3)
    yard.fleet.begin_generation(3)
    assert [yard.fleet.start_reason(position) for position in range(3)] == ["reload", "reload", "scale"]


def test_a_place_that_was_gone_for_a_while_is_filled_again() -> None:
    yard = Yard(2).booted()
    yard.fleet.size = 1
    assert yard.act() == ["retire 2"]
    assert yard.fleet.start_reason(1) == "scale"
    yard.end(2)
    assert yard.fleet.start_reason(1) == "scale"


def test_the_end_of_an_old_worker_does_not_hide_that_its_successor_has_crashed() -> None:
    yard = Yard(1).booted()
    yard.fleet.begin_generation(1)
    yard.act()
    assert yard.ready(2) == ["retire 1"]
    yard.fleet.mark_ended(yard.fleet.members[2], yard.now)
    yard.fleet.mark_ended(yard.fleet.members[1], yard.now)
    assert yard.fleet.start_reason(0) == "crash"
