"""What a group's place in a shard is made of: who owns it, how far it is, what its next owner finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from common.packing import Entry
from common.redis_streams import Shard


class Ownership(NamedTuple):
    """
    What a new owner finds: the position to go on from, and the batch that its predecessor left in flight.

    `attempts` lives have begun that batch and not finished it, `alone` of them while their process did nothing else.
    `suspicion` is how warily to go on after a batch that killed its process. `stored` is the running number behind the
    last row that came to stand in the group's table, 0 when it has none.
    """

    epoch: int
    position: int
    last_id: str
    manifest: bytes
    attempts: int
    alone: int
    suspicion: bytes
    stored: int


class Checkpoint(NamedTuple):
    """A saved state, and the place in the shard that it belongs to: behind the entry `last_id`."""

    position: int
    last_id: str
    state: bytes


class Held(NamedTuple):
    """Somebody else owns the shard; `beat` must move, or it may be taken."""

    owner: str
    beat: str


@dataclass(frozen=True)
class Carried:
    """
    What goes with a commit, in its transaction: entries for other shards, words for sets by their keys, and a state.

    `state` is what a processor remembers behind the batch, None for not now; `suspicion` how warily to go on, empty for
    as ever; `aside` the running numbers of records that killed their process and must not be turned again; `stored` the
    number behind the last row that the batch has brought into a table, 0 for none; `seen_id` the batch's last entry,
    which must stand in the stream, empty when none of them does.
    """

    entries: Mapping[Shard, Sequence[Entry]] = field(default_factory=dict)
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)
    state: bytes | None = None
    suspicion: bytes = b""
    aside: Sequence[int] = ()
    stored: int = 0
    seen_id: str = ""
