"""Groups paused, resumed, set elsewhere, handed over and forgotten by hand: every row stands once all the same."""

import shutil

import pytest

from common.records import OrderEvent, Ticker
from common.redis_streams import Shard
from common.streams import BY_TOPIC, ORDER_EVENTS, TICKERS, TRADES
from monitoring.doing.deeds import NotDone
from monitoring.doing.groups import forgetting, handing_over, pausing, resuming
from monitoring.doing.resetting import resetting
from tests.deed_kit import append, done, looked, place, rests
from tests.fleet_harness import Fleet, wait_for

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.timeout(180)]

SHARD = Shard(TICKERS, 0, 1)
WRITER = "clickhouse_writer"


def tickers(*numbers):
    return [Ticker("tester", "ABC", 1_700_000_000_000_000_000 + number, last_price="1.5") for number in numbers]


def stored(fleet):
    return [offset for (offset,) in fleet.sql("SELECT offset FROM tickers ORDER BY offset")]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """Both servers and a writer."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with Fleet(tmp_path_factory.mktemp("groups")) as made:
        made.start_servers()
        made.start_program(WRITER)
        yield made


@pytest.fixture
def writing(house):
    """A writer that has stored ten entries of three tickers more; afterwards it reads whatever was paused."""
    start = int(house.redis.hget(SHARD.facts, "offset") or 0)
    for number in range(start, start + 30, 3):
        append(house, SHARD, *tickers(number, number + 1, number + 2))
    wait_for(lambda: place(house, SHARD, WRITER), expected=start + 30, what="commit")
    yield house
    house.redis.delete(f"paused:{WRITER}")


@pytest.fixture
def paused(writing):
    done(writing, lambda redis: pausing(redis, WRITER, "tickers"))
    rests(writing, SHARD, WRITER)
    return writing


def end(fleet):
    return int(fleet.redis.hget(SHARD.facts, "offset"))


def is_read(fleet):
    """Return once the writer has committed everything."""
    wait_for(lambda: place(fleet, SHARD, WRITER), expected=end(fleet), what="everything is read")


def test_a_paused_group_rests_also_after_a_restart_and_goes_on_when_it_is_resumed(paused):
    before = end(paused)
    append(paused, SHARD, *tickers(30))
    paused.end(WRITER)
    paused.restart(WRITER)
    trades = Shard(TRADES, 0, 1)
    wait_for(lambda: paused.redis.hget(trades.group(WRITER), "owner"), expected=WRITER, what="the others are read")
    assert list(range(before)) == stored(paused)
    assert paused.redis.hget(SHARD.group(WRITER), "owner") is None

    done(paused, lambda redis: resuming(redis, WRITER, "tickers"))
    is_read(paused)
    assert list(range(before + 1)) == stored(paused)


@pytest.mark.parametrize("to", ["beginning", "-4", "7d"])
def test_a_group_that_is_set_back_reads_again_and_doubles_nothing(paused, to):
    start = end(paused) - 4 if to == "-4" else 0
    deed = looked(paused, lambda redis: resetting(redis, WRITER, "tickers", to))
    assert f"{end(paused) - start} records are read again" in deed.touches[0][1]
    assert WRITER == deed.typed

    done(paused, lambda redis: resetting(redis, WRITER, "tickers", to))
    assert start == place(paused, SHARD, WRITER)
    append(paused, SHARD, *tickers(30))
    done(paused, lambda redis: resuming(redis, WRITER, "tickers"))
    is_read(paused)
    assert list(range(end(paused))) == stored(paused)


def test_rows_that_were_lost_are_stored_again_when_a_group_is_set_back(paused):
    paused.command("ALTER TABLE tickers DELETE WHERE offset IN (3, 4, 17) SETTINGS mutations_sync = 2")
    done(paused, lambda redis: resetting(redis, WRITER, "tickers", "beginning"))
    done(paused, lambda redis: resuming(redis, WRITER, "tickers"))
    is_read(paused)

    assert list(range(end(paused))) == stored(paused)


def test_what_is_skipped_is_told_as_a_gap_and_comes_back_when_the_group_is_set_back(paused):
    before = end(paused)
    append(paused, SHARD, *tickers(30, 31))
    done(paused, lambda redis: resetting(redis, WRITER, "tickers", "newest"))
    append(paused, SHARD, *tickers(32))
    done(paused, lambda redis: resuming(redis, WRITER, "tickers"))
    is_read(paused)
    assert [*range(before), before + 2] == stored(paused)
    told = "SELECT expected, found FROM feed_events WHERE kind = 'gap' AND channel = 'tickers'"
    expected = [(f"record {before}", f"record {before + 2}")]
    wait_for(lambda: paused.sql(told), expected=expected, what="gap")

    done(paused, lambda redis: pausing(redis, WRITER, "tickers"))
    rests(paused, SHARD, WRITER)
    done(paused, lambda redis: resetting(redis, WRITER, "tickers", "-3"))
    done(paused, lambda redis: resuming(redis, WRITER, "tickers"))
    is_read(paused)
    assert list(range(end(paused))) == stored(paused)


def test_a_group_that_somebody_reads_for_is_not_set_elsewhere(writing):
    wait_for(lambda: writing.redis.hget(SHARD.group(WRITER), "owner"), expected=WRITER, what="it is read")
    with pytest.raises(NotDone, match="pause it first"):
        done(writing, lambda redis: resetting(redis, WRITER, "tickers", "beginning"))
    with pytest.raises(NotDone, match="reads it"):
        done(writing, lambda redis: forgetting(redis, WRITER, "tickers"))

    assert end(writing) == place(writing, SHARD, WRITER)
    refused = "SELECT action, subject FROM actions WHERE outcome LIKE 'refused%' ORDER BY offset"
    expected = [("reset", "clickhouse_writer on tickers"), ("forget", "clickhouse_writer on tickers")]
    wait_for(lambda: writing.sql(refused), expected=expected, what="what was tried")


@pytest.mark.parametrize(
    ("group", "topic", "why"),
    [
        ("book_processor", "books", "only be set forward. .* would stand twice"),
        ("bar_processor", "trades", "only be set forward. .* replace whole ones by parts"),
    ],
)
def test_a_group_whose_rows_would_be_wrong_is_not_set_back_and_says_why(redis_only, group, topic, why):
    shard = Shard(BY_TOPIC[topic], 0, 1)
    redis_only.redis.hset("topics", topic, "1")
    append(redis_only, shard, *tickers(1, 2))
    redis_only.redis.xgroup_create(shard.key, group, id="0")
    redis_only.redis.hset(shard.group(group), mapping={"position": 2, "epoch": 1})

    with pytest.raises(NotDone, match=why):
        done(redis_only, lambda redis: resetting(redis, group, topic, "beginning"))
    assert "only be set forward" in looked(redis_only, lambda redis: resetting(redis, group, topic, "")).words


def test_the_end_of_a_shard_is_its_newest_entry_whatever_is_appended_meanwhile(redis_only):
    redis_only.redis.hset("topics", "tickers", "1")
    append(redis_only, SHARD, *tickers(0, 1))
    append(redis_only, SHARD, *tickers(2))
    newest = redis_only.redis.xrevrange(SHARD.key, count=1)[0][0]
    redis_only.redis.xadd(SHARD.key, {"by": "hand"})
    redis_only.redis.hset(SHARD.facts, "offset", 2)  # as it was before the second entry
    redis_only.redis.xgroup_create(SHARD.key, WRITER, id="0")
    redis_only.redis.hset(SHARD.group(WRITER), mapping={"position": 0, "last_id": "0-1", "epoch": 1})

    done(redis_only, lambda redis: resetting(redis, WRITER, "tickers", "newest"))
    assert ["3", newest] == redis_only.redis.hmget(SHARD.group(WRITER), "position", "last_id")


def test_a_shard_that_is_taken_from_its_owner_is_read_on_and_doubles_nothing(writing):
    wait_for(lambda: writing.redis.hget(SHARD.group(WRITER), "owner"), expected=WRITER, what="it is read")
    epoch = writing.redis.hget(SHARD.group(WRITER), "epoch")
    done(writing, lambda redis: handing_over(redis, WRITER, SHARD.key))
    append(writing, SHARD, *tickers(30))
    is_read(writing)

    assert list(range(end(writing))) == stored(writing)
    assert int(epoch) < int(writing.redis.hget(SHARD.group(WRITER), "epoch"))
    assert writing.processes[WRITER][0].poll() is None


def test_trades_that_are_made_a_second_time_stand_once(house):
    fleet, shard, processor = house, Shard(ORDER_EVENTS, 0, 1), "trade_processor"
    fleet.start_program(processor)
    append(fleet, shard, *(fill(number) for number in range(6)))
    trades = "SELECT count(), uniqExact(trade_id) FROM trades"
    wait_for(lambda: fleet.sql(trades), expected=[(6, 6)], what="trades")
    done(fleet, lambda redis: pausing(redis, processor))
    rests(fleet, shard, processor)
    wait_for(lambda: place(fleet, Shard(TRADES, 0, 1), WRITER), expected=6, what="the trades are committed")

    done(fleet, lambda redis: resetting(redis, processor, "order_events", "beginning"))
    append(fleet, shard, fill(6))
    done(fleet, lambda redis: resuming(redis, processor))
    wait_for(lambda: fleet.sql(trades), expected=[(7, 7)], what="trades")
    wait_for(lambda: place(fleet, Shard(TRADES, 0, 1), WRITER), expected=13, what="those made again were read")
    assert [(7, 7)] == fleet.sql(trades)


def fill(number):
    return OrderEvent(
        "polymarket", "12", 1, event_id=f"0x{number}_0x1", event_ns=1_700_000_000_000_000_000,
        transaction_hash=f"0x{number}", order_hash="0x1", maker="0xa", taker="0xb", maker_asset_id="0",
        taker_asset_id="12", maker_amount="420000", taker_amount="1000000", fee="0", role="maker_fill",
        source="subgraph",
    )  # fmt: skip


def test_a_forgotten_group_holds_its_stream_no_longer_and_what_was_done_is_written_down(paused):
    paused.end(WRITER)
    done(paused, lambda redis: forgetting(redis, WRITER, "tickers"))
    assert [] == paused.redis.xinfo_groups(SHARD.key)

    paused.restart(WRITER)
    is_read(paused)
    assert list(range(end(paused))) == stored(paused)
    deeds = "SELECT who, way, subject, outcome FROM actions WHERE action = 'forget' AND outcome = 'done'"
    expected = [("tester", "a test", "clickhouse_writer on tickers", "done")]
    wait_for(lambda: paused.sql(deeds), expected=expected, what="actions")
