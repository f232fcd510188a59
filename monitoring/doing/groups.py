"""A consumer group told to pause, to go on, to hand a shard over, to be forgotten."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from common.pauses import pause, paused, resume
from common.readings import text_of
from common.redis_streams import Redis, Shard, all_shards, run_script
from monitoring.doing.deeds import Deed, NotDone
from monitoring.prompts import fleet, word

EPOCH_STEP = 2**20


@dataclass(frozen=True)
class Place:
    """Where a group is in a shard; `position` is None where the group is not one of ours."""

    group: str
    shard: Shard
    owner: str
    position: int | None
    last_id: str
    manifest: str
    offset: int
    pending: int
    is_paused: bool

    @property
    def behind(self) -> int:
        """Return how many records the group has not committed."""
        return max(0, self.offset - (self.position or 0))


async def places_of(redis: Redis, group: str, topic: str = "") -> list[Place]:
    """
    Return where a group is, in one topic or in all.

    Raises:
        NotDone: there is no such group.
    """
    stopped = await paused(redis, group)
    found = []
    for shard in await all_shards(redis):
        if topic not in ("", shard.stream.topic) or not await redis.exists(shard.key):
            continue
        known = {text_of(one["name"]): one for one in await redis.xinfo_groups(shard.key)}
        if group not in known:
            continue
        facts = await redis.hmget(shard.group(group), "owner", "position", "last_id", "manifest", "epoch")
        owner, position, last_id, manifest, epoch = (text_of(fact) for fact in facts)
        found.append(
            Place(
                group=group,
                shard=shard,
                owner=owner,
                position=int(position or 0) if position or epoch else None,
                last_id=last_id or "0-0",
                manifest=manifest,
                offset=int(await redis.hget(shard.facts, "offset") or 0),
                pending=int(known[group]["pending"]),
                is_paused=shard.key in stopped,
            )
        )
    if not found:
        raise NotDone(f"there is no group {group or 'without a name'}{f' on {topic}' if topic else ''}")
    return found


async def pausing(redis: Redis, group: str, topic: str = "") -> Deed:
    """Return the deed that lets a group rest in a topic, or in all."""
    places = await places_of(redis, group, topic)
    keys = [place.shard.key for place in places]

    async def run() -> str:
        await pause(redis, group, keys)
        return "paused"

    return Deed(
        action="pause",
        subject=_subject(group, topic),
        command=fleet("pause", *_words(group, topic)),
        run=run,
        touches=touched(places),
        words="It commits what it has in hand and lets go of these shards within a second. Until it is resumed, also"
        " after a restart, nothing of them is read: they grow in Redis, and nothing of them is trimmed.",
        before=_state(places),
        refusal="it is not one of ours: pausing is up to whoever reads"
        if any(place.position is None for place in places)
        else "it is paused already"
        if all(place.is_paused for place in places)
        else "",
        also=(f"redis-cli SADD {word(f'paused:{group}')} {' '.join(map(word, keys))}",),
    )


async def resuming(redis: Redis, group: str, topic: str = "") -> Deed:
    """Return the deed that lets a group go on."""
    places = await places_of(redis, group, topic)
    keys = [place.shard.key for place in places]

    async def run() -> str:
        await resume(redis, group, keys)
        return "runs"

    return Deed(
        action="resume",
        subject=_subject(group, topic),
        command=fleet("resume", *_words(group, topic)),
        run=run,
        touches=touched(places),
        words="It goes on where it has committed.",
        before=_state(places),
        refusal="" if any(place.is_paused for place in places) else "it is not paused",
        also=(f"redis-cli SREM {word(f'paused:{group}')} {' '.join(map(word, keys))}",),
    )


async def handing_over(redis: Redis, group: str, key: str) -> Deed:
    """Return the deed that takes a shard from its owner."""
    found = [place for place in await places_of(redis, group) if place.shard.key == key]
    if not found:
        raise NotDone(f"{group} does not read {key}")
    place = found[0]

    async def run() -> str:
        step = 1 + secrets.randbelow(EPOCH_STEP)
        if await run_script(redis, "take", [place.shard.group(group)], [place.owner, step]) != [b"OK"]:
            raise NotDone(f"{key} is not owned by {place.owner} any more: look again")
        return "taken"

    return Deed(
        action="hand over",
        subject=f"{group} on {key}",
        command=fleet("claim", group, key, "--yes"),
        run=run,
        touches=touched(found),
        words=f"{place.owner or 'Nobody'} is fenced at once: whatever it still does for this shard is refused. The"
        " process whose share it is, maybe the same one, takes it and finishes the batch in hand under its name.",
        before=f"owner {place.owner or 'nobody'}",
        refusal="" if place.owner else "nobody owns it: whoever is to will take it by itself",
        also=(f"supervisorctl restart {word(place.owner)}",) if place.owner else (),
    )


async def forgetting(redis: Redis, group: str, topic: str = "") -> Deed:
    """Return the deed that makes streams wait for a group no longer."""
    places = await places_of(redis, group, topic)

    async def run() -> str:
        for place in places:
            async with redis.pipeline(transaction=True) as pipe:
                pipe.xgroup_destroy(place.shard.key, group)
                pipe.delete(place.shard.group(group))
                await pipe.execute()
        await resume(redis, group, [place.shard.key for place in places])
        return "forgotten"

    readers = sorted({place.owner for place in places if place.owner})
    return Deed(
        action="forget",
        subject=_subject(group, topic),
        command=fleet("forget", *_words(group, topic), "--yes"),
        run=run,
        touches=touched(places),
        words="What it has not read no longer keeps these streams from being trimmed: after their retention it is gone,"
        " and no row will have it. If its program is started again, it begins at the oldest entry that is still there.",
        before=_state(places),
        typed=group,
        refusal=f"{', '.join(readers)} reads it: stop it first (supervisorctl stop {readers[0]})" if readers else "",
        also=tuple(f"redis-cli XGROUP DESTROY {word(place.shard.key)} {word(group)}" for place in places[:3]),
    )


def touched(places: Sequence[Place]) -> tuple[tuple[str, str], ...]:
    """Return each shard, and how far the group is there."""
    return tuple((place.shard.key, _where(place)) for place in places)


def _where(place: Place) -> str:
    owner = f"read by {place.owner}" if place.owner else "read by nobody"
    rest = ", paused" if place.is_paused else ""
    if place.position is None:
        return f"{place.pending:,} entries pending; not one of ours"
    at = f"at record {place.position:,}; {place.behind:,} records behind; {place.pending:,} entries pending"
    return f"{at}, {owner}{rest}"


def _subject(group: str, topic: str) -> str:
    return f"{group} on {topic}" if topic else group


def _words(group: str, topic: str) -> tuple[str, ...]:
    return (group, "--topic", topic) if topic else (group,)


def _state(places: Sequence[Place]) -> str:
    return "; ".join(f"{place.shard.key}: {_where(place)}" for place in places)
