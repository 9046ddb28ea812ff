"""Where workers are forked: what they get, and what they let go of."""

from __future__ import annotations

import os
import signal
from typing import Any

from fastwsgi.process import channel, worker
from fastwsgi.process.fleet import Member
from fastwsgi.process.hook_views import WorkerView
from fastwsgi.process.signals import WATCHED
from fastwsgi.process.sockets import at_position, let_go, shared_with_others


class Spawner:
    """Forks for *supervisor*."""

    def __init__(self, supervisor: Any) -> None:
        self._supervisor = supervisor
        self.started = 0  # workers, since the beginning

    def fork(self, position: int) -> Member:
        """A new worker at *position*, which boots. Raises OSError if the system has no room for it."""
        ours, theirs = channel.pair()
        given = self._prepare(position, theirs)
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)  # a signal for the child must not get into our queue
        try:
            pid = os.fork()
            if pid == 0:
                worker.run_as_process(lambda: self._become(given, ours))
        except OSError:
            ours.close()
            given.slot.clear()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
            theirs.close()
        given.view.pid = pid
        generation = self._supervisor.fleet.generation
        return Member(pid, position, generation, self.started, slot=given.slot, channel=ours, view=given.view)

    def _prepare(self, position: int, theirs: channel.Channel) -> worker.WorkerStart:
        owner = self._supervisor
        settings, entries, tls = owner.reload.worker_inputs()
        self.started += 1
        view = WorkerView(owner.view, settings, self.started)
        owner.hooks.pre_fork(owner.view, view)
        slot = owner.board.allocate()
        slot.generation = owner.fleet.generation
        return worker.WorkerStart(
            owner.build,
            owner.deployment,
            settings,
            owner.app,
            tls,
            at_position(entries, position),
            shared_with_others(entries),
            owner.board,
            slot,
            theirs,
            owner.view,
            view,
            first=not owner.fleet.served,
        )

    def _become(self, given: worker.WorkerStart, ours: channel.Channel) -> int:
        """In the child: let go of what is the supervisor's, and live."""
        owner = self._supervisor
        signal.set_wakeup_fd(-1)
        owner.signals.close()
        ours.close()
        for member in owner.fleet.members.values():
            member.channel.close()  # else this worker would hide the supervisor's death from the others
        let_go(owner.listeners.entries + owner.reload.worker_inputs()[1], given.listeners)
        return worker.Worker(given).run()
