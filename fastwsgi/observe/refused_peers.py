"""Whom most refusals of the last minute went to, in memory that other processes read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastwsgi.figures import MOST_PEERS, PEER_WORDS, PEERS, WORD
from fastwsgi.http.peers import client_network
from fastwsgi.originals import time

if TYPE_CHECKING:
    from fastwsgi.http._meter_py import Meter

MAX_COUNTED = 256  # the most that are counted at a time
HALF = 30.0  # seconds; what is told is of two of them at most
UNIX_SOCKETS = "unix sockets"
ADDRESS_BYTES = (PEER_WORDS - 1) * WORD


class FrequentPeers:
    """Counts refusals by peer, in bounded memory."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def note(self, host: str) -> None:
        """Count one for the peer at *host*, "" for a unix socket."""
        peers = self.counts
        peer = client_network(host) or UNIX_SOCKETS
        if peer in peers or len(peers) < MAX_COUNTED:
            peers[peer] = peers.get(peer, 0) + 1
        else:
            # Misra and Gries, 1982: a peer stays if it causes more than one refusal in MAX_COUNTED, and its count is
            # too small by at most that fraction of them
            self.counts = {one: count - 1 for one, count in list(peers.items()) if count > 1}

    def add(self, other: FrequentPeers) -> None:
        """Count those of *other*, too; what all counts are too small by stays within the same fraction."""
        counts = dict(self.counts)
        for peer, count in list(other.counts.items()):
            counts[peer] = counts.get(peer, 0) + count
        if len(counts) > MAX_COUNTED:  # Agarwal and others, Mergeable Summaries, 2012
            least = sorted(counts.values(), reverse=True)[MAX_COUNTED]
            counts = {peer: count - least for peer, count in counts.items() if count > least}
        self.counts = counts


class Peers:
    """Those of one loop, written with *meter*."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._now, self._before = FrequentPeers(), FrequentPeers()
        self._next = 0.0  # when the next half of a minute begins
        self._is_new = False

    def note(self, host: str) -> None:
        """Count a refusal for the peer at *host*."""
        self._now.note(host)
        self._is_new = True

    def tick(self) -> None:
        """Write whom they went to, if that has changed."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + HALF
            self._is_new = bool(self._is_new or self._before.counts or self._now.counts)
            self._now, self._before = FrequentPeers(), self._now
        if self._is_new:
            self._is_new = False
            self._write()

    def _write(self) -> None:
        counts = dict(self._before.counts)
        for peer, count in list(self._now.counts.items()):
            counts[peer] = counts.get(peer, 0) + count
        most = sorted(counts.items(), key=lambda pair: -pair[1])[:MOST_PEERS]
        words = self._meter.view
        texts = words.cast("B")
        for place in range(MOST_PEERS):
            row = PEERS + place * PEER_WORDS
            peer, count = most[place] if place < len(most) else ("", 0)
            words[row] = 0  # while the address is another's
            begin = (row + 1) * WORD
            texts[begin : begin + ADDRESS_BYTES] = peer.encode()[:ADDRESS_BYTES].ljust(ADDRESS_BYTES, b"\0")
            words[row] = count
