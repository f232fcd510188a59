"""What a stateful processor remembers of a shard: restored after a take-over, saved with a commit now and then."""

import asyncio
from dataclasses import replace

import msgspec
import polars as pl

from common.clock import monotonic_s, now_ns
from common.errors import UnreadableCheckpoint
from common.inbox import Inbox
from common.place import Checkpoint, Ownership
from processors.batch import Batch, Content, content_of
from processors.knowledge import Knowledge
from processors.placing import Hole, clipped, holes, placed
from processors.processor import Made, Processor, State, Timed

EVERY_S = 5.0
EVERY_BYTES = 64 * 2**20  # of entries: about a second's work to turn again
READ_ENTRIES = 64
UNREADABLE = (UnreadableCheckpoint, msgspec.DecodeError)


class Memory:
    """The state of one processor in one shard, and how far it has turned; a stateless one has nothing to remember."""

    def __init__(self, processor: Processor) -> None:
        self._processor = processor
        self._state: State | None = None
        self._turned = -1  # the running number behind the last record that the state has turned
        self._last_id = "0-0"
        self._has_rested = False  # since the last record: a Redis that has lost that shows it by no position
        self._unsaved_bytes = 0
        self._saved_s = 0.0

    def turn(self, batch: Batch, content: Content, knowledge: pl.DataFrame) -> Made:
        """Return what the next batch gives."""
        if self._processor.transform is not None:
            return self._processor.transform(content.frame, knowledge)
        if self._state is None or self._turned != batch.start:
            raise AssertionError(f"expected a state behind {batch.start}, found one behind {self._turned}")
        self._turned = -1  # until all of it is turned
        made = self._state.turn(content.frame, knowledge)
        self._unsaved_bytes += len(content.data)
        self.pass_by(batch)
        return made

    def timed(self, position: int) -> Timed | None:
        """Return the state if time matters to it and it is behind what was committed."""
        return self._state if isinstance(self._state, Timed) and self._turned == position else None

    def rest(self, state: Timed, silent_ns: int, knowledge: pl.DataFrame) -> Made | None:
        """Return what a silence gives; until it is committed the state is of no place."""
        made = state.rest(silent_ns, knowledge)
        if made is not None:
            self._turned = -1
        return made

    def rested(self, position: int) -> None:
        """Take note that what a silence gave is committed, with the state."""
        self._turned, self._has_rested = position, True
        self.saved()

    def pass_by(self, batch: Batch) -> None:
        """Stand behind a batch."""
        self._turned, self._has_rested = batch.stop, False
        self._last_id = batch.ids[-1] if batch.ids else self._last_id

    def due(self) -> bytes | None:
        """Return the state when it is time to save it."""
        is_due = self._unsaved_bytes >= EVERY_BYTES or monotonic_s() - self._saved_s >= EVERY_S
        return self._state.save() if self._state is not None and is_due else None

    def saved(self) -> None:
        """Take note that the state as it is now stands in Redis."""
        self._unsaved_bytes, self._saved_s = 0, monotonic_s()

    def last(self, position: int) -> Checkpoint | None:
        """Return what the next owner should find; None when it finds it already."""
        if self._state is None or self._turned != position or not self._unsaved_bytes:
            return None
        return Checkpoint(position, self._last_id, self._state.save())

    def forget(self) -> None:
        """Let go of the state: books of a thousand symbols are not kept for a shard that others own."""
        self._state, self._turned = None, -1

    async def restore(self, inbox: Inbox, owned: Ownership) -> str:
        """
        Bring the state to what its checkpoint holds; `catch_up` brings it on to the committed position.

        Returns:
            why it had to begin from nothing although records had been committed, else an empty text.
        """
        if self._processor.state is None or (self._turned == owned.position and not self._has_rested):
            return ""
        found = await inbox.checkpoint()
        reason = "there is none" if found is None else ""
        if found is not None and found.position > owned.position:
            reason, found = f"it is of record {found.position}, behind the position {owned.position}", None
        if found is not None:
            try:
                self._begin(self._processor.state(found.state), found.position, found.last_id)
            except UNREADABLE as error:
                reason = str(error)
            else:
                return ""
        self._begin(self._processor.state(b""), -1, "0-0")
        self._saved_s = 0.0  # so that the first commit leaves one that can be read
        return reason if owned.position else ""

    def _begin(self, state: State, turned: int, last_id: str) -> None:
        self._state, self._turned, self._last_id, self._has_rested = state, turned, last_id, False
        self._unsaved_bytes, self._saved_s = 0, monotonic_s()

    async def catch_up(self, inbox: Inbox, owned: Ownership, knowledge: Knowledge, stop: asyncio.Event) -> list[Hole]:
        """Turn what was committed since the checkpoint, delivering nothing; return what is not there any more."""
        gone: list[Hole] = []
        aside = await inbox.set_aside() if self._state is not None else set()
        while self._state is not None and self._turned != owned.position and not stop.is_set():
            entries = await inbox.behind(self._last_id, count=READ_ENTRIES)
            start = self._turned if self._turned >= 0 or not entries else max(entries[0].offset, 0)
            read = placed(Batch(inbox.shard, inbox.group, start, tuple(entries)), await inbox.end())
            batch = clipped(read, owned.position)
            if not batch.entries:
                batch = replace(batch, start=max(start, 0), least_stop=owned.position)
            gone += holes(batch, self._last_id)
            self._turned = batch.start
            content = content_of(batch, now_ns=now_ns()).without(aside)
            self.turn(batch, content, await knowledge.about(content.frame))
        return gone
