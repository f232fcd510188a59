"""A reading of some blocks: which logs came, which times are still to be asked for, what it says in the end."""

from collections.abc import Iterable, Iterator

from ingesters.venues.polygon_logs import EXCHANGES, Fill, Header, Log, ids_of, number
from ingesters.venues.polygon_memory import Place


class Inconsistent(Exception):
    """Two answers speak of different chains, or of one that the node has only in part. What next: begin anew."""


class Walk:
    """The blocks after `after`, as far as `until`; `is_again` when they were told before."""

    def __init__(self, after: int, until: int, *, is_again: bool) -> None:
        self.after = after
        self.until = until
        self.at = after
        self.is_again = is_again
        self._logs: list[Log] = []
        self._headers: dict[int, Header] = {}

    @property
    def is_read(self) -> bool:
        """Return whether there is something to tell: new blocks at once, those told before when all are here."""
        return self.at >= self.until or not self.is_again

    def take_logs(self, logs: list[Log], until: Header | None) -> None:
        """
        Take the logs of the blocks after `at` up to a block that the same node knows.

        Raises:
            Inconsistent: the node does not have that block, or another one than the logs come from.
        """
        if until is None:
            raise Inconsistent
        last = number(until.number)
        for log in logs:
            is_ours = self.at < log.block <= last and log.address.lower() in EXCHANGES and not log.removed
            if not is_ours or (log.block == last and log.block_hash != until.hash):
                raise Inconsistent
        self._logs += sorted(logs, key=lambda log: (log.block, number(log.log_index)))
        self._headers[last] = until
        self.at = last

    def blocks_without_time(self) -> list[int]:
        """Return the blocks whose time no log tells."""
        untold = {log.block for log in self._logs if log.block_timestamp is None}
        return sorted(untold - self._headers.keys())

    def take_headers(self, blocks: Iterable[int], headers: Iterable[Header | None]) -> None:
        """
        Take the headers of blocks.

        Raises:
            Inconsistent: one is not there, or not the block that the logs come from.
        """
        hashes = {log.block: log.block_hash for log in self._logs}
        for block, header in zip(blocks, headers, strict=True):
            if header is None or header.hash != hashes[block]:
                raise Inconsistent
            self._headers[block] = header

    def fills(self) -> list[Fill]:
        """Return what was read, in the order of the chain."""
        return [Fill(name, log, self._second(log)) for name, log in zip(ids_of(self._logs), self._logs, strict=True)]

    def places(self) -> list[Place]:
        """Return the blocks whose hash is known."""
        return sorted(self._places(), key=lambda place: place.number)

    def _places(self) -> Iterator[Place]:
        yield from {Place(log.block, log.block_hash, self._second(log)) for log in self._logs}
        for block, header in self._headers.items():
            yield Place(block, header.hash, number(header.timestamp))

    def _second(self, log: Log) -> int:
        return number(log.block_timestamp or self._headers[log.block].timestamp)
