"""What the consume side tells the users of the data: the stretch that it concerns, and what became of it."""

from common.clock import NS_PER_MS
from common.inbox import Inbox
from common.place import Ownership
from common.records import FeedEvent
from processors.placing import Hole

VENUE = "tickfleet"


def time_ns(entry_id: str) -> int:
    """Return when Redis took an entry, by its id."""
    return int(entry_id.partition("-")[0]) * NS_PER_MS


def missing(inbox: Inbox, hole: Hole, *, now_ns: int) -> FeedEvent:
    """Return that records are not in the stream any more: somebody has deleted them, or skipped their numbers."""
    return FeedEvent(
        VENUE,
        "",
        now_ns,
        channel=inbox.shard.stream.topic,
        kind="gap",
        from_ns=time_ns(hole.behind_id) or now_ns,
        to_ns=time_ns(hole.before_id) or now_ns,
        expected=f"record {hole.start}",
        found=f"record {hole.stop}",
        detail=f"{inbox.shard.key}: {hole.stop - hole.start} running numbers from {hole.start} to {hole.stop} "
        f"(exclusive) hold no record for {inbox.group}: deleted, or never given out",
    )


def standing(inbox: Inbox, start: int, stop: int, *, now_ns: int) -> FeedEvent:
    """Return that records were made a second time after Redis had lost its memory of the first: their rows stand."""
    return FeedEvent(
        VENUE,
        "",
        now_ns,
        channel=inbox.shard.stream.topic,
        kind="gap",
        from_ns=now_ns,
        to_ns=now_ns,
        expected=f"record {start}",
        found=f"record {stop}",
        detail=f"{inbox.shard.key}: {stop - start} running numbers from {start} to {stop} "
        f"(exclusive) have no row: Redis lost what it had, and these records stand under the numbers of before",
    )


def remade(inbox: Inbox, owned: Ownership, *, now_ns: int) -> FeedEvent:
    """Return that a group was deleted by hand, and goes on where it was."""
    return FeedEvent(
        VENUE,
        "",
        now_ns,
        channel=inbox.shard.stream.topic,
        kind="resync",
        from_ns=time_ns(owned.last_id),
        to_ns=now_ns,
        expected=f"the group {inbox.group}",
        found="none",
        detail=f"{inbox.shard.key}: {inbox.group} was deleted; made again behind record {owned.position}",
    )


def continued(inbox: Inbox, stored: int, owned: Ownership, *, now_ns: int) -> FeedEvent:
    """Return that Redis has lost records that ClickHouse holds: what was not stored yet may be lost for good."""
    return FeedEvent(
        VENUE,
        "",
        now_ns,
        channel=inbox.shard.stream.topic,
        kind="gap",
        from_ns=now_ns,
        to_ns=now_ns,
        expected=f"record {stored}, as ClickHouse holds those before",
        found=f"less; {inbox.group} at record {owned.position}",
        detail=f"{inbox.shard.key}: Redis came back empty or with less than it had; counting on from {stored}, "
        "records that were not stored yet are lost unless their source sends them again",
    )


def stored_again(inbox: Inbox, stands: int, owned: Ownership, *, now_ns: int) -> FeedEvent:
    """Return that ClickHouse holds less than it had confirmed, and what is done about it."""
    return FeedEvent(
        VENUE,
        "",
        now_ns,
        channel=inbox.shard.stream.topic,
        kind="resync",
        from_ns=now_ns,
        to_ns=now_ns,
        expected=f"rows up to record {owned.stored}",
        found=f"rows up to record {stands}",
        detail=f"{inbox.shard.key}: ClickHouse holds less than it had confirmed (an older backup, or rows deleted by "
        "hand); what the stream still holds is stored again, what it does not is told as a gap",
    )


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
