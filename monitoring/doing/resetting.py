"""A group set elsewhere: what it will read again or never, and why its rows still stand once."""

from collections.abc import Sequence

from common.clock import NS_PER_MS, now_ns
from common.codec import encode
from common.records import FeedEvent
from common.redis_streams import Redis, Shard, run_script
from common.streams import FEED_EVENTS, TRADES
from monitoring.doing.deeds import Deed, NotDone
from monitoring.doing.groups import Place, places_of, touched
from monitoring.doing.placing import Spot, spot_of
from monitoring.prompts import fleet, word

WRITER = "clickhouse_writer"
MAKES_TRADES = "trade_processor"
# What keeps rows single when records are read again; whoever is not named may only be set forward, and this is why.
ONCE = {
    WRITER: "The writer compares what it reads again with what stands in its table, and stores the difference.",
    MAKES_TRADES: "The trades it makes again are passed by when they are written, as theirs stand already.",
}
NOT_BACK = {
    "book_processor": (
        "Its rows of book_stats get new numbers when they are made again, and nothing tells them from the first ones: "
        "they would stand twice. What a book was at any time stands in book_updates: ./fleet book."
    ),
    "bar_processor": (
        "Its candles are made of every trade since they began, also of those that have left the stream: begun in the "
        "middle, they would replace whole ones by parts. The views bars_1s to bars_1d are made of all trades stored."
    ),
}
ANY_OTHER = "What it makes of these records would stand twice."
VENUE = "tickfleet"


async def resetting(redis: Redis, group: str, topic: str, to: str, seen: str = "") -> Deed:
    """
    Return the deed that puts a group elsewhere in a topic.

    Args:
        redis: where it is.
        group: of which one.
        topic: where.
        to: beginning, newest, a time, or a shift such as -500.
        seen: what an earlier look at a group that makes trades has carried here: where both stood.
    """
    places = await places_of(redis, group, topic)
    if not to:
        return _asking(group, topic, places)
    spots = [await spot_of(redis, place, to) for place in places]
    refusal = _why_not(places, spots) or await _why_not_yet(redis, places, seen)
    carried = await _carried(redis, places, seen)

    async def run() -> str:
        for place, spot in zip(places, spots, strict=True):
            await _put(redis, place, spot)
        return _told(places, spots)

    return Deed(
        action="reset",
        subject=f"{group} on {topic}",
        command=fleet("reset", group, topic, "--to", to, "--yes"),
        run=run,
        touches=tuple((place.shard.key, _change(place, spot)) for place, spot in zip(places, spots, strict=True)),
        words=_consequence(group, places, spots),
        before="; ".join(f"{place.shard.key} at {place.position:,}" for place in places if place.position is not None),
        typed=group,
        refusal=refusal,
        carries=(("seen", carried),) if carried else (),
        also=tuple(
            f"redis-cli XGROUP SETID {word(place.shard.key)} {word(group)} {spot.last_id}"
            for place, spot in zip(places, spots, strict=True)
            if place.position is None
        ),
    )


def _asking(group: str, topic: str, places: Sequence[Place]) -> Deed:
    """Return what is shown before it is known where to: where the group is now."""

    async def run() -> str:
        raise NotDone("expected where to")

    return Deed(
        action="reset",
        subject=f"{group} on {topic}",
        command=f"{fleet('reset', group, topic)} --to …",
        run=run,
        touches=touched(places),
        words="" if group in ONCE else f"It may only be set forward. {NOT_BACK.get(group, ANY_OTHER)}",
        refusal="say where to: nothing was chosen yet",
    )


def _why_not(places: Sequence[Place], spots: Sequence[Spot]) -> str:
    owned = [place for place in places if place.owner]
    if owned:
        names = ", ".join(sorted({place.owner for place in owned}))
        return f"{names} reads it: pause it first, or hand over what a dead process still holds"
    if any(place.manifest for place in places):
        return "a batch is in hand, and what became of it is open: let the group finish it, then pause it"
    is_back = any(spot.position < (place.position or 0) for place, spot in zip(places, spots, strict=True))
    if is_back and places[0].position is not None and places[0].group not in ONCE:
        return f"{places[0].group} may only be set forward. {NOT_BACK.get(places[0].group, ANY_OTHER)}"
    if all(spot.position == place.position for place, spot in zip(places, spots, strict=True)):
        return "it is there already"
    return ""


async def _why_not_yet(redis: Redis, places: Sequence[Place], seen: str) -> str:
    """Return what must come first: trades made before must stand, or those made again are not known for repeats."""
    if places[0].group != MAKES_TRADES:
        return ""
    written = min((place.position or 0 for place in await places_of(redis, WRITER, TRADES.topic)), default=0)
    end, _, position = seen.partition("@")
    wanted = int(end) if end.isdigit() and position == str(places[0].position) else await _end_of_trades(redis)
    left = wanted - written
    return f"the trades it has made are not written yet ({left:,} to go): look again" if left > 0 else ""


async def _carried(redis: Redis, places: Sequence[Place], seen: str) -> str:
    """Return where a group at rest and the trades stand, for the next look; what was carried here already stays."""
    if places[0].group != MAKES_TRADES or any(place.owner for place in places):
        return ""
    is_same = seen.partition("@")[2] == str(places[0].position)
    return seen if is_same else f"{await _end_of_trades(redis)}@{places[0].position}"


async def _end_of_trades(redis: Redis) -> int:
    """Return the running number behind the newest trade."""
    return int(await redis.hget(Shard(TRADES, 0, 1).facts, "offset") or 0)


async def _put(redis: Redis, place: Place, spot: Spot) -> None:
    if place.position is None:
        await redis.xgroup_setid(place.shard.key, place.group, spot.last_id)
        return
    keys = [place.shard.key, place.shard.group(place.group)]
    word, fact = await run_script(redis, "place", keys, [place.group, place.position, spot.position, spot.last_id])
    if word != b"OK":
        told = {b"OWNED": f"{fact.decode()} reads {place.shard.key} again", b"BUSY": "a batch is in hand"}
        raise NotDone(told.get(word, f"{place.shard.key} has moved on to {fact.decode()}: look again"))
    if spot.position > place.position:
        await _tell(redis, place, spot)


async def _tell(redis: Redis, place: Place, spot: Spot) -> None:
    """Say to the users of the data that records were passed by on purpose."""
    skipped = spot.position - place.position if place.position is not None else 0
    event = FeedEvent(
        venue=VENUE,
        symbol="",
        received_ns=now_ns(),
        channel=place.shard.stream.topic,
        kind="gap",
        from_ns=_time_ns(place.last_id),
        to_ns=_time_ns(spot.last_id),
        expected=f"record {place.position}",
        found=f"record {spot.position}",
        detail=f"{place.shard.key}: {place.group} was set forward by hand past {skipped} records",
    )
    shard = Shard(FEED_EVENTS, 0, 1)
    await run_script(redis, "note", [shard.key, shard.facts], [encode(event)])


def _time_ns(entry_id: str) -> int:
    return int(entry_id.partition("-")[0]) * NS_PER_MS or now_ns()


def _change(place: Place, spot: Spot) -> str:
    if place.position is None:
        return f"goes behind {spot.last_id}"
    moved = spot.position - place.position
    where = f"from {place.position:,} to {spot.position:,}"
    if not moved:
        return f"stays at {place.position:,}"
    return f"{where}: {moved:,} records are skipped" if moved > 0 else f"{where}: {-moved:,} records are read again"


def _told(places: Sequence[Place], spots: Sequence[Spot]) -> str:
    return "; ".join(f"{place.shard.key} at {spot.position:,}" for place, spot in zip(places, spots, strict=True))


def _consequence(group: str, places: Sequence[Place], spots: Sequence[Spot]) -> str:
    moves = [spot.position - (place.position or 0) for place, spot in zip(places, spots, strict=True)]
    again, skipped = -sum(move for move in moves if move < 0), sum(move for move in moves if move > 0)
    words = []
    if again:
        once = ONCE.get(group, "")
        words.append(
            f"About {again:,} records are read again. {once} What could not be read becomes a dead letter again."
        )
    if skipped:
        back = " Going back brings them, as long as they lie in the stream." if group in ONCE else ""
        words.append(f"{skipped:,} records are never read by this group, which is told as a gap.{back}")
    return " ".join(words)
