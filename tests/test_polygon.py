"""Fills from the chain: every confirmed one once, whatever the node, the chain or a kill does."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import FeedRefused
from common.records import DeadLetter, OrderEvent
from common.settings import Settings
from ingesters.feed import Frame, Resume, hear
from ingesters.venues.polygon import PolygonFeed
from simulator.chain import ORDER_FILLED, SECOND_VERSION
from simulator.node import View
from tests.polygon_kit import BLOCK_S, FIRST_BLOCK, START_S, TOKEN, Recorder, World, event_id, fill, match

CONFIRMATIONS = 5


@pytest.fixture
def world():
    made = World()
    made.grow(30)
    return made


def test_every_confirmed_fill_is_told_once_in_the_order_of_the_chain(world):
    recorder = Recorder(world)
    recorder.catch_up()

    assert world.ids(until=world.chain.head - CONFIRMATIONS) == recorder.ids()
    assert str(world.chain.head - CONFIRMATIONS) == recorder.state["polygon_last_block"]


def test_a_fill_is_the_event_that_the_subgraph_would_have_made_of_it():
    world = World()
    world.mine([fill(1, transaction=3), fill(2, buys=False, transaction=3, taker=SECOND_VERSION[0])])
    world.grow(CONFIRMATIONS, matches=0)
    recorder = Recorder(world)
    recorder.catch_up()
    maker, taker = recorder.records

    assert (
        OrderEvent(
            venue="polymarket",
            symbol=TOKEN,
            received_ns=maker.received_ns,
            event_id=f"0x{3:064x}_0x{1:064x}",
            event_ns=START_S * 10**9,
            transaction_hash=f"0x{3:064x}",
            order_hash=f"0x{1:064x}",
            maker=f"0x{1:040x}",
            taker=f"0x{7:040x}",
            maker_asset_id="0",
            taker_asset_id=TOKEN,
            maker_amount="500000",
            taker_amount="1000000",
            fee="0",
            role="maker_fill",
            source="chain",
        )
        == maker
    )
    assert (TOKEN, "0", "1000000", "500000") == (
        taker.maker_asset_id,
        taker.taker_asset_id,
        taker.maker_amount,
        taker.taker_amount,
    )


def test_the_takers_order_is_the_event_whose_taker_is_an_exchange(world):
    recorder = Recorder(world)
    recorder.catch_up()
    roles = [record.role for record in recorder.records[:4]]

    assert ["maker_fill", "taker_order", "maker_fill", "taker_order"] == roles


def test_an_order_filled_twice_in_one_transaction_is_two_events():
    world = World()
    world.mine([fill(1, transaction=3), fill(1, transaction=3), fill(2, transaction=3, taker=SECOND_VERSION[1])])
    world.grow(CONFIRMATIONS, matches=0)
    recorder = Recorder(world)
    recorder.catch_up()
    name = f"0x{3:064x}_0x{1:064x}"

    assert [name, f"{name}_2", f"0x{3:064x}_0x{2:064x}"] == recorder.ids()


def test_the_times_of_blocks_are_asked_for_unless_the_logs_tell_them():
    worlds = [World(tells_time=told) for told in (False, True)]
    recorders = []
    for world in worlds:
        world.grow(10)
        recorders.append(Recorder(world))
        recorders[-1].catch_up()
    events = [[(r.event_id, r.event_ns) for r in recorder.records] for recorder in recorders]
    steps = [{fetch.key for fetch in recorder.asked} for recorder in recorders]

    assert events[0] == events[1]
    assert (START_S + 3 * BLOCK_S) * 10**9 == events[0][6][1]
    assert [True, False] == ["times" in step for step in steps]


def test_without_a_start_block_the_record_begins_at_the_newest_confirmed_block(world):
    recorder = Recorder(world, polygon_start_block=None)
    recorder.catch_up()
    world.grow(3)
    recorder.start()
    recorder.catch_up()

    assert world.ids(until=world.chain.head - CONFIRMATIONS)[-6:] == recorder.ids()


def test_a_range_that_is_too_long_is_halved_until_the_node_takes_it_and_grows_again():
    world = World()
    world.grow(600, matches=0)
    world.view = View(most_blocks=60)
    recorder = Recorder(world)
    recorder.catch_up()
    lengths = [last - first + 1 for first, last in recorder.ranges()]
    refused = [length for length in lengths if length > 60]

    assert [500, 250, 125, 62] == lengths[:4]
    assert 31 == max(length for length in lengths[4:20])
    assert len(refused) < 6


def test_too_many_results_are_asked_for_in_smaller_parts():
    world = World()
    world.grow(60, matches=3)
    world.view = View(most_logs=40)
    recorder = Recorder(world)
    recorder.catch_up()

    assert world.ids(until=world.chain.head - CONFIRMATIONS) == recorder.ids()


def test_logs_of_one_block_that_cannot_be_had_are_asked_for_again_and_again():
    world = World()
    world.grow(10, matches=3)
    recorder = Recorder(world)
    world.view = View(most_logs=2)
    for _ in range(40):
        recorder.turn()
    world.view = View()
    recorder.catch_up()

    assert world.ids(until=world.chain.head - CONFIRMATIONS) == recorder.ids()


def test_a_node_without_batches_is_asked_one_thing_after_the_other(world):
    world.view = View(takes_batches=False)
    recorder = Recorder(world)
    recorder.catch_up()

    assert world.ids(until=world.chain.head - CONFIRMATIONS) == recorder.ids()


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        (b'{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"daily request count exceeded"}}', 200),
        (b'{"jsonrpc":"2.0","id":0,"error":{"code":429,"message":"slow down"}}', 200),
        (b'{"jsonrpc":"2.0","id":0,"error":{"code":-32000,"message":"header not found"}}', 200),
        (b"<html>hello</html>", 200),
        (b'{"jsonrpc":"2.0","id":4711,"result":"0x1"}', 200),
        (b"[]", 200),
        (b"", 200),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_asked_again(world, payload, status):
    recorder = Recorder(world)
    asked = recorder.fetch

    assert not recorder.turn(payload=payload, status=status)
    assert asked == recorder.fetch
    recorder.catch_up()
    assert world.ids(until=world.chain.head - CONFIRMATIONS) == recorder.ids()


def test_a_key_that_is_refused_ends_the_program_and_is_not_repeated(world):
    recorder = Recorder(world)
    with pytest.raises(FeedRefused) as caught:
        recorder.turn(payload=b'{"error":"unknown key"}', status=401)

    assert 'polygon refused: the endpoint answered HTTP 401: {"error":"unknown key"}' == str(caught.value)


def test_a_node_that_lags_is_waited_for(world):
    recorder = Recorder(world)
    recorder.catch_up()
    for _ in range(5):
        recorder.turn(view=View(behind=12))
    world.grow(10)
    for _ in range(5):
        recorder.turn(view=View(behind=30))
    recorder.catch_up()

    assert world.ids(until=world.chain.head - CONFIRMATIONS) == recorder.ids()
    assert [] == recorder.told()


def test_a_node_that_left_logs_out_is_not_believed(world):
    """One node tells the head, another that does not have these blocks yet is asked for the logs."""
    recorder = Recorder(world)
    recorder.turn()
    recorder.turn(view=View(behind=20))
    recorder.catch_up()

    assert world.ids(until=world.chain.head - CONFIRMATIONS) == recorder.ids()


def test_a_chain_that_stands_still_is_told_once_and_its_return_too(world):
    recorder = Recorder(world)
    recorder.catch_up()
    for _ in range(300):
        recorder.turn()
    world.grow(250)
    recorder.catch_up()
    stale, back = recorder.told()

    assert ("stale", "chain") == (stale.kind, stale.channel)
    assert stale.detail.startswith(f"the node's newest block, {FIRST_BLOCK + 24} of ")
    assert "resync" == back.kind


def test_a_log_that_does_not_fit_its_signature_is_set_aside_and_the_rest_goes_on(world):
    block = world.mine(match(900))
    world.grow(CONFIRMATIONS)
    block.logs[0]["data"] = block.logs[0]["data"][:-2]
    recorder = Recorder(world)
    recorder.catch_up()
    (letter,) = [record for record in recorder.records if isinstance(record, DeadLetter)]

    assert "expected 448 digits and 4 topics, found 446 digits and 4 topics" == letter.reason
    assert block.logs[0]["data"] in letter.payload
    assert len(world.ids(until=world.chain.head - CONFIRMATIONS)) - 1 == len(recorder.ids())


def test_a_real_log_is_read_to_the_last_digit():
    """The order that was sold at 0.94: 4.18 shares for 3.9292 dollars."""
    feed = PolygonFeed(Recorder(World(), polygon_start_block=FIRST_BLOCK + 1).settings, Resume())
    list(feed.opening())
    hash_, maker = "0x" + "ab" * 32, "0x" + "1" * 40
    data = f"{1:064x}{int(TOKEN):064x}{0x3FC820:064x}{0x3BF470:064x}{0:064x}{0:064x}{0:064x}"
    log = {
        "address": "0xE111180000d2663c0091e4f400237545b87b996b",
        "topics": [ORDER_FILLED, hash_, word(maker), word(maker)],
        "data": f"0x{data}",
        "blockNumber": hex(FIRST_BLOCK + 1),
        "blockHash": hash_,
        "transactionHash": hash_,
        "logIndex": "0x1",
    }  # fmt: skip
    header = {"number": hex(FIRST_BLOCK + 1), "hash": hash_, "timestamp": "0x6ab13b80"}
    answers = [hex(FIRST_BLOCK + 6), [log], header]
    first = json.dumps({"id": 0, "result": answers[0]}).encode()
    hear(feed, Frame(1, first, reply_to="head"))
    second = json.dumps([{"id": 1, "result": answers[1]}, {"id": 2, "result": answers[2]}]).encode()
    event = hear(feed, Frame(2, second, reply_to="logs"))[0]

    assert (TOKEN, "0") == (event.maker_asset_id, event.taker_asset_id)
    assert ("4180000", "3929200", maker) == (event.maker_amount, event.taker_amount, event.maker)


def word(address):
    return f"0x{int(address, 16):064x}"


def test_fills_that_vanish_in_a_reorganisation_are_told_by_their_ids(world):
    recorder = Recorder(world)
    recorder.catch_up()
    doomed = world.ids(until=world.chain.head - CONFIRMATIONS)[-4:]
    world.chain.drop(CONFIRMATIONS + 2)
    world.grow(CONFIRMATIONS + 4, matches=0)
    recorder.catch_up()
    (gap,) = recorder.told()

    assert ("gap", f"reorg: 4 events vanished: {', '.join(doomed)}") == (gap.kind, gap.detail)
    assert sorted(world.ids()) == sorted(recorder.standing())


def test_a_fill_that_comes_back_in_a_later_block_stands_there_once(world):
    recorder = Recorder(world)
    recorder.catch_up()
    taken = world.chain.drop(CONFIRMATIONS + 2)
    world.grow(CONFIRMATIONS + 4, matches=0)
    recorder.catch_up()
    recorder.start()
    for block in taken:
        world.mine(*block.transactions)
    world.grow(CONFIRMATIONS, matches=0)
    recorder.catch_up()
    gap, back = recorder.told()

    assert ("gap", "resync") == (gap.kind, back.kind)
    assert back.detail.startswith("reorg: 4 events that had vanished are back: ")
    assert times_of(world) == times_in(recorder)


def test_a_fill_that_a_reorganisation_adds_behind_us_is_told_late(world):
    recorder = Recorder(world)
    recorder.catch_up()
    taken = world.chain.drop(CONFIRMATIONS + 2)
    world.mine(match(700), *taken[0].transactions)
    for block in taken[1:]:
        world.mine(*block.transactions)
    recorder.catch_up()
    (late,) = recorder.told()

    assert "backfilled" == late.kind
    assert late.detail.startswith("reorg: 2 events came late: ")
    assert 2 == [event.via for event in recorder.standing().values()].count("backfill")
    assert sorted(world.ids(until=world.chain.head - CONFIRMATIONS)) == sorted(recorder.ids())


def test_of_a_fill_that_vanished_while_nobody_looked_the_row_stays_and_that_is_told(world):
    recorder = Recorder(world)
    recorder.catch_up()
    taken = world.chain.drop(CONFIRMATIONS + 2)
    world.grow(CONFIRMATIONS + 4, matches=0)
    recorder.start()
    recorder.catch_up()
    (gap,) = recorder.told()
    for block in taken:
        world.mine(*block.transactions)
    world.grow(CONFIRMATIONS, matches=0)
    recorder.catch_up()

    assert gap.detail.startswith("reorg: 4 events vanished, their rows stay: an event of block ")
    assert sorted(world.ids()) == sorted(recorder.standing())


def test_a_new_process_knows_the_fills_that_another_has_told(world):
    recorder = Recorder(world)
    recorder.catch_up()
    recorder.start()
    recorder.catch_up()
    world.chain.drop(CONFIRMATIONS + 2)
    world.grow(CONFIRMATIONS + 4, matches=0)
    recorder.catch_up()

    assert sorted(world.ids()) == sorted(recorder.standing())


def times_of(world):
    """Return the second of every fill on the chain."""
    blocks = world.chain.between(0, world.chain.head)
    return {event_id(fill): block.timestamp for block in blocks for part in block.transactions for fill in part}


def times_in(recorder):
    return {name: event.event_ns // 10**9 for name, event in recorder.standing().items()}


def test_a_reorganisation_beyond_memory_is_told():
    world = World()
    world.grow(120)
    recorder = Recorder(world)
    recorder.catch_up()
    for block in world.chain.drop(100):
        world.mine(*block.transactions)
    recorder.catch_up()
    (gap,) = recorder.told()

    assert "reorg: it goes back further than block " in gap.detail
    assert len(recorder.ids()) == len(set(recorder.ids()))


def test_what_was_told_is_read_again_once_a_minute(world):
    recorder = Recorder(world)
    recorder.catch_up()
    asked = len(recorder.ranges())
    wait_a_minute(recorder)
    recorder.catch_up()

    assert [(0, 24)] == recorder.ranges()[asked:]
    assert [] == recorder.told()


FATES = st.lists(
    st.one_of(
        st.tuples(st.just("answer"), st.integers(1, 6)),
        st.tuples(st.just("grow"), st.integers(1, 9)),
        st.tuples(st.just("limit"), st.integers(1, 40)),
        st.tuples(st.just("results"), st.integers(4, 40)),
        st.tuples(st.just("lag"), st.integers(1, 12)),
        st.tuples(st.just("fork"), st.integers(1, 12)),
        st.tuples(st.just("shuffle"), st.integers(1, 12)),
        st.tuples(st.sampled_from(["kill", "garbage", "recheck", "single"]), st.just(0)),
    ),
    max_size=60,
)


def fork(world, depth, *, shuffled):
    """Replace the newest blocks; every transaction stays, in the same block or in a later one."""
    blocks = world.chain.drop(depth)
    later = [transaction for block in blocks[:1] for transaction in block.transactions] if shuffled else []
    for block in blocks[shuffled:]:
        world.mine(*block.transactions)
    world.mine(*later)


def turns(recorder, amount):
    for _ in range(amount):
        recorder.turn()


def wait_a_minute(recorder):
    recorder.now_ns += 61 * 10**9


def limit(world, **limits):
    world.view = View(**{"takes_batches": world.view.takes_batches} | limits)


BEFALL = {
    "answer": lambda _world, recorder, amount: turns(recorder, amount),
    "grow": lambda world, _recorder, amount: world.grow(amount, matches=amount % 3),
    "limit": lambda world, _recorder, amount: limit(world, most_blocks=amount),
    "results": lambda world, _recorder, amount: limit(world, most_logs=amount),
    "single": lambda world, _recorder, _amount: limit(world, takes_batches=not world.view.takes_batches),
    "lag": lambda _world, recorder, amount: recorder.turn(view=View(behind=amount)),
    "fork": lambda world, _recorder, amount: fork(world, amount, shuffled=False),
    "shuffle": lambda world, _recorder, amount: fork(world, amount, shuffled=True),
    "kill": lambda _world, recorder, _amount: recorder.start(),
    "garbage": lambda _world, recorder, _amount: recorder.turn(payload=b'{"jsonrpc"'),
    "recheck": lambda _world, recorder, _amount: wait_a_minute(recorder),
}


@settings(max_examples=200, deadline=None)
@given(FATES)
def test_any_order_of_limits_kills_and_reorganisations_gives_each_fill_once(fates):
    world = World()
    world.grow(12)
    recorder = Recorder(world)
    for fate, amount in fates:
        BEFALL[fate](world, recorder, amount)
    world.grow(CONFIRMATIONS, matches=0)
    world.view = View()
    recorder.catch_up()
    wait_a_minute(recorder)
    recorder.catch_up()

    assert sorted(world.ids()) == sorted(recorder.standing())


@pytest.mark.parametrize("status", [413, 504])
def test_an_answer_that_is_too_large_for_the_endpoint_is_asked_for_in_parts(world, status):
    recorder = Recorder(world)
    recorder.turn()
    first = recorder.fetch
    recorder.turn(payload=b"too much", status=status)
    recorder.catch_up()

    assert status in first.accept
    assert world.ids(until=world.chain.head - CONFIRMATIONS) == recorder.ids()


def test_a_key_in_the_address_is_a_secret():
    chosen = Settings(polygon_rpc_url="https://node.example/v2/s3cret?token=t0ken")

    assert {"v2/s3cret", "token=t0ken"} <= set(chosen.secrets)
