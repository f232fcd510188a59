"""The rows of the panels of streams and groups: shards summed up, rates and ages beside every figure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from common.clock import NS_PER_MS, NS_PER_S
from common.readings import GroupReading, ShardReading
from monitoring.facts import Group, Stream
from monitoring.verdicts import GRAVITY, Verdict, of_group
from monitoring.watch import Snapshot


def streams(shot: Snapshot) -> tuple[Stream, ...]:
    """Return one row a topic."""
    if shot.redis is None:
        return ()
    by_topic: defaultdict[str, list[ShardReading]] = defaultdict(list)
    for shard in shot.redis.shards:
        by_topic[shard.topic].append(shard)
    return tuple(_stream(topic, shards, shot, shot.redis.server_ns) for topic, shards in by_topic.items())


def _stream(topic: str, shards: Sequence[ShardReading], shot: Snapshot, server_ns: int) -> Stream:
    firsts = [id_age_s(shard.first_id, server_ns) for shard in shards if shard.first_id]
    lasts = [id_age_s(shard.last_id, server_ns) for shard in shards if shard.last_id]
    return Stream(
        topic=topic,
        key=shards[0].key if len(shards) == 1 else f"stream:{{{topic}:0…{len(shards) - 1}}}",
        shards=len(shards),
        entries=sum(shard.entries for shard in shards),
        records_total=sum(shard.offset for shard in shards),
        records_per_s=shot.rates_per_s.get(f"stream|{topic}"),
        oldest_age_s=max(firsts, default=None),
        newest_age_s=min(lasts, default=None),
        trend=shot.trends.get(f"stream|{topic}", ()),
    )


def id_age_s(entry_id: str, server_ns: int) -> float:
    """Return an entry's age by Redis's own clock, which wrote its id."""
    return max(0.0, (server_ns - int(entry_id.partition("-")[0]) * NS_PER_MS) / NS_PER_S)


def groups(shot: Snapshot) -> tuple[Group, ...]:
    """Return one row a group and topic, the worst first among equals of name."""
    if shot.redis is None:
        return ()
    offsets = {shard.key: shard.offset for shard in shot.redis.shards}
    found: defaultdict[tuple[str, str], list[GroupReading]] = defaultdict(list)
    for group in shot.redis.groups:
        found[group.name, group.topic].append(group)
    made = [_group(parts, offsets, shot, shot.redis.server_ns) for parts in found.values()]
    return tuple(sorted(made, key=lambda row: (row.name, -GRAVITY.index(row.verdict.level))))


def _group(parts: Sequence[GroupReading], offsets: Mapping[str, int], shot: Snapshot, server_ns: int) -> Group:
    name, topic = parts[0].name, parts[0].topic
    places = [(part, part.position) for part in parts]
    lag_records = None
    if all(position is not None for _, position in places):
        lag_records = sum(max(0, offsets[part.key] - (position or 0)) for part, position in places)
    waiting = [id_age_s(part.oldest_id, server_ns) for part in parts if part.oldest_id]
    return Group(
        name=name,
        topic=topic,
        shards=len(parts),
        verdict=_worst_part(parts, shot, server_ns),
        lag_records=lag_records,
        lag_s=max(waiting, default=0.0),
        pending_entries=sum(part.pending_entries for part in parts),
        batches_in_flight=sum(part.in_flight for part in parts),
        attempts=max(part.attempts for part in parts),
        owners=tuple(sorted({part.owner for part in parts if part.owner})),
        records_per_s=shot.rates_per_s.get(f"group|{name}|{topic}"),
        trend=shot.trends.get(f"lag|{name}|{topic}", ()),
        is_paused=any(part.is_paused for part in parts),
    )


def _worst_part(parts: Sequence[GroupReading], shot: Snapshot, server_ns: int) -> Verdict:
    verdicts = [
        of_group(
            part.name,
            lag_s=id_age_s(part.oldest_id, server_ns) if part.oldest_id else 0.0,
            owner=part.owner,
            silent_s=shot.owner_silent_s.get(f"{part.key}|{part.name}"),
            is_paused=part.is_paused,
        )
        for part in parts
    ]
    return max(verdicts, key=lambda verdict: GRAVITY.index(verdict.level))
