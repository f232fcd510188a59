"""Several processes of one program: each has its share, gives and takes it within seconds, and order holds."""

import threading
import time
from collections import Counter, defaultdict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.members import FORGET_S, SILENT_S, Members
from common.records import BookUpdate
from common.redis_streams import Shard
from common.streams import BOOKS, TICKERS, shard_of
from processors.sharing import assigned
from tests.faults.counting import GROUP
from tests.fleet_harness import PYTHON, wait_for

SHARDS = [Shard(BOOKS, number, 4) for number in range(4)]
NO_LEVELS = dict.fromkeys(("bid_prices", "bid_sizes", "ask_prices", "ask_sizes"), ())
SYMBOLS = [f"S{number}" for number in range(12)]
NAMES = st.sets(st.sampled_from([f"writer_{number:02d}" for number in range(9)]), min_size=1)


def streams_of(counts):
    return [[f"stream:{{{topic}:{shard}}}" for shard in range(count)] for topic, count in enumerate(counts)]


@given(counts=st.lists(st.integers(1, 9), min_size=1, max_size=14), names=NAMES)
def test_every_shard_has_one_owner_and_nobody_more_than_an_even_share(counts, names):
    streams = streams_of(counts)
    owners = assigned(streams, sorted(names))

    assert {shard for shards in streams for shard in shards} == owners.keys()
    for shards in streams:
        most = max(Counter(owners[shard] for shard in shards).values())
        assert most <= -(-len(shards) // len(names))


def test_one_process_more_takes_a_share_of_all_work():
    owners = assigned(streams_of([4, *[1] * 11]), ["a", "b", "c", "d"])

    assert {"a", "b", "c", "d"} == set(owners.values())
    assert 4 >= max(Counter(owners.values()).values())


def test_a_process_is_dead_when_its_counter_stands_still_while_we_watched():
    members = Members()
    for second in range(5):
        members.look({"alive": str(second), "dead": "7"}, float(second))

    assert ["alive"] == members.living(4.0)


def test_whoever_was_frozen_itself_declares_nobody_dead():
    members = Members()
    members.look({"other": "7"}, 0.0)
    members.look({"other": "7"}, SILENT_S * 10)

    assert ["other"] == members.living(SILENT_S * 10)


def test_a_process_that_is_long_gone_is_taken_off_the_list():
    members = Members()
    for second in range(int(FORGET_S) + 2):
        members.look({"gone": "7"}, float(second))

    assert ["gone"] == members.long_gone(FORGET_S + 1)


class Load:
    """Appends to every shard as an ingester does, until told to stop."""

    def __init__(self, fleet):
        self.fleet, self.made, self._stop = fleet, 0, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        redis = self.fleet.redis
        while not self._stop.wait(0.01):
            with redis.pipeline() as pipe:
                for symbol in SYMBOLS:
                    shard = SHARDS[shard_of("tester", symbol, 4)]
                    offset = int(redis.hget(shard.facts, "offset") or 0)
                    update = BookUpdate("tester", symbol, self.made, kind="delta", **NO_LEVELS)
                    pipe.xadd(shard.key, {"o": offset, "n": 1, "data": msgspec.json.encode(update)})
                    pipe.hset(shard.facts, "offset", offset + 1)
                    pipe.execute()
            self.made += 1


def owners(fleet):
    return [fleet.redis.hget(shard.group(GROUP), "owner") for shard in SHARDS]


def share_of(fleet):
    return sorted(Counter(owners(fleet)).values())


def start(fleet, name):
    fleet.environment |= {"SOURCE": "books"}
    fleet.start(name, PYTHON, "-m", "tests.faults.counting", name)


def positions(fleet):
    return [
        int(fleet.redis.hget(shard.group(GROUP), "position") or 0) - int(fleet.redis.hget(shard.facts, "offset") or 0)
        for shard in SHARDS
    ]


def counted(fleet):
    found = defaultdict(list)
    for _, fields in fleet.redis.xrange(TICKERS.key(0, 1)):
        for line in fields["data"].splitlines():
            ticker = msgspec.json.decode(line)
            found[ticker["symbol"]].append(int(ticker["last_price"]))
    return found


@pytest.mark.redis
@pytest.mark.timeout(120)
def test_scaled_to_four_and_back_under_load_every_symbol_is_counted_in_order(redis_only):
    with Load(redis_only) as load:
        start(redis_only, "p0")
        wait_for(lambda: share_of(redis_only), expected=[4], give_up_s=20, what="one process")
        for name in ("p1", "p2", "p3"):
            start(redis_only, name)
        wait_for(lambda: share_of(redis_only), expected=[1, 1, 1, 1], give_up_s=20, what="four processes")
        assert 0 == redis_only.end("p0")
        redis_only.kill("p2")
        began_s = time.monotonic()
        wait_for(lambda: set(owners(redis_only)), expected={"p1", "p3"}, give_up_s=20, what="two processes")
        took_s = time.monotonic() - began_s
        wait_for(lambda: share_of(redis_only), expected=[2, 2], give_up_s=20, what="even shares")
    wait_for(lambda: positions(redis_only), expected=[0, 0, 0, 0], what="all counted")

    assert {symbol: list(range(1, load.made + 1)) for symbol in SYMBOLS} == counted(redis_only)
    assert load.made > 50
    assert took_s < 5.0
