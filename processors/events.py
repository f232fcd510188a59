"""What the consume side tells the users of the data: the stretch that it concerns, and what became of it."""

from common.clock import NS_PER_MS
from common.inbox import Inbox, Ownership
from common.records import FeedEvent

VENUE = "tickfleet"


def time_ns(entry_id: str) -> int:
    """Return when Redis took an entry, by its id."""
    return int(entry_id.partition("-")[0]) * NS_PER_MS


def rebuilt(inbox: Inbox, owned: Ownership, reason: str, *, now_ns: int) -> FeedEvent:
    """Return that a processor's state was lost, and is made again from what the stream still holds."""
    return FeedEvent(
        VENUE,
        "",
        now_ns,
        channel=inbox.shard.stream.topic,
        kind="resync",
        from_ns=time_ns(owned.last_id),
        to_ns=now_ns,
        expected=f"a checkpoint of {inbox.group} at or before record {owned.position}",
        found=reason,
        detail=f"{inbox.shard.key}: the state of {inbox.group} is rebuilt from what the stream still holds",
    )
