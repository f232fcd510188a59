"""Polygon as the simulator keeps it: JSON-RPC, limits, a chain that is replaced; and the real ingester before it."""

import pytest

from simulator.chain import ORDER_FILLED, SECOND_VERSION
from simulator.demo.goldsky import InventedFills
from simulator.demo.polygon import InventedChain
from simulator.demo.world import World as InventedWorld
from simulator.faults import Fault
from simulator.run import replay
from simulator.server import Simulator, shell_of
from simulator.venues.goldsky import Goldsky
from simulator.venues.polygon import Polygon
from tests.ingest_kit import events, records, redis_of_module, running, until
from tests.polygon_kit import World, event_id, match
from tests.simulator_kit import capture, post

__all__ = ["redis_of_module"]

WITHOUT_TRANSACTIONS = False
BODY = {"jsonrpc": "2.0", "id": 1}


@pytest.fixture
def fleet(redis_of_module):
    redis_of_module.redis.flushall()
    return redis_of_module


def demo():
    """The demo's chain, and the subgraph beside it, without the other venues."""
    world, shell = InventedWorld(1), shell_of()
    chain = Polygon(InventedChain(world.chance("polygon"), world.markets, shell.clock("polygon")), shell)
    subgraph = Goldsky(InventedFills(world.chance("goldsky"), world.markets, shell.clock("goldsky")), shell)
    return Simulator({"polygon": chain, "goldsky": subgraph}, shell)


def chain_of(simulator):
    return simulator._venues["polygon"]._source.chain


async def called(simulator, method, *params, number=1):
    url = simulator.environment["POLYGON_RPC_URL"]
    return (await post(url, BODY | {"id": number, "method": method, "params": params})).json()


async def head_of(simulator):
    return int((await called(simulator, "eth_blockNumber"))["result"], 16)


def asked_for(first, last):
    return {"fromBlock": hex(first), "toBlock": hex(last), "address": SECOND_VERSION, "topics": [ORDER_FILLED]}


async def test_the_demo_has_a_chain_with_fills_of_both_exchanges_in_blocks_that_follow_each_other():
    async with demo() as simulator:
        head = await head_of(simulator)
        logs = (await called(simulator, "eth_getLogs", asked_for(head - 400, head)))["result"]
        blocks = [
            (await called(simulator, "eth_getBlockByNumber", hex(head - n), WITHOUT_TRANSACTIONS))["result"]
            for n in (1, 0)
        ]
        chain_id = (await called(simulator, "eth_chainId"))["result"]

    assert set(SECOND_VERSION) == {log["address"] for log in logs}
    assert {2 + 7 * 64} == {len(log["data"]) for log in logs}
    assert blocks[0]["hash"] == blocks[1]["parentHash"]
    assert "0x89" == chain_id


async def test_the_chain_has_other_transactions_than_the_subgraph_in_the_same_markets():
    async with demo() as simulator:
        facts = simulator.ledger.facts(ids=True)

    assert set(facts["polygon"]["event_ids"]).isdisjoint(facts["goldsky"]["event_ids"])
    assert facts["polygon"]["standing"]["maker_fill"]["events"] > 0


async def test_batches_are_answered_in_any_order_with_their_numbers():
    async with demo() as simulator:
        calls = [BODY | {"id": number, "method": "eth_blockNumber"} for number in (7, 8, 9)]
        answers = (await post(simulator.environment["POLYGON_RPC_URL"], calls)).json()

    assert {7, 8, 9} == {answer["id"] for answer in answers}


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("eth_dance", [], -32601),
        ("eth_getLogs", [{"fromBlock": "0x1", "toBlock": "0xffffff"}], -32005),
        ("eth_getBlockByNumber", ["nonsense", False], -32602),
    ],
)
async def test_wrong_calls_get_an_error_inside_a_good_answer(method, params, code):
    async with demo() as simulator:
        answer = await called(simulator, method, *params)

    assert code == answer["error"]["code"]


async def test_a_lagging_node_leaves_out_what_it_does_not_have():
    async with demo() as simulator:
        head = await head_of(simulator)
        simulator.faults.order(Fault(kind="lagging_node", venue="polygon", amount=100, times=None))
        logs = (await called(simulator, "eth_getLogs", asked_for(head - 50, head)))["result"]
        block = (await called(simulator, "eth_getBlockByNumber", hex(head - 50), WITHOUT_TRANSACTIONS))["result"]
        behind = await head_of(simulator)

    assert ([], None) == (logs, block)
    assert head - behind in (99, 100)


def sums(fleet):
    return sorted(record.event_id for record in records(fleet, "order_events"))


def reached(fleet):
    return int(fleet.redis.get("state:polygon_last_block") or 0)


def first_of(simulator):
    return int(simulator.environment["POLYGON_START_BLOCK"])


async def caught_up(fleet, simulator):
    head = chain_of(simulator).head
    await until(lambda: reached(fleet) >= head - 5, give_up_s=40, what="caught up")


def newest(simulator):
    """Return the ids of the newest blocks, which came while we stopped."""
    chain = chain_of(simulator)
    return {
        event_id(fill)
        for block in chain.between(chain.head - 8, chain.head)
        for part in block.transactions
        for fill in part
    }


def confirmed(simulator, confirmations=5):
    """Return the ids of all fills that stand deep enough."""
    chain = chain_of(simulator)
    return sorted(map(event_id, chain.fills(chain.head - confirmations)))


FAULTS = {
    "none": [],
    "errors inside 200": [Fault(kind="rpc_errors", venue="polygon", times=3)],
    "a range limit": [Fault(kind="range_limit", venue="polygon", amount=40)],
    "words without meaning": [Fault(kind="rpc_errors", venue="polygon", match="eth_getLogs", times=2, body="tired")],
    "a lagging node": [Fault(kind="lagging_node", venue="polygon", amount=30, times=20, skip=1)],
    "429": [Fault(kind="status", venue="polygon", status=429, retry_after_s=1, times=2)],
    "a reorganisation": [Fault(kind="reorg_retime", venue="polygon", amount=12, skip=6)],
    "garbage": [Fault(kind="garbage", venue="polygon", times=2), Fault(kind="truncated", venue="polygon", times=2)],
}  # fmt: skip


@pytest.mark.redis
@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
async def test_the_ingester_tells_every_confirmed_fill_once(fleet, faults):
    async with demo() as simulator:
        for fault in faults:
            simulator.faults.order(fault)
        environment = simulator.environment | {"POLYGON_POLL_S": "0.1"}
        async with running(fleet, "polygon_ingester", environment) as ingester:
            await until(lambda: reached(fleet) > first_of(simulator), give_up_s=40, what="on the way")
            await ingester.stop()
        async with running(fleet, "polygon_ingester", environment):
            await caught_up(fleet, simulator)
        told = sums(fleet)

    assert set(confirmed(simulator)) - set(told) <= newest(simulator)
    assert len(told) == len(set(told))
    assert {event_id(fill) for fill in chain_of(simulator).fills(2**62)} >= set(told)


@pytest.mark.redis
async def test_fills_that_vanish_from_the_chain_are_told(fleet):
    async with demo() as simulator:
        environment = simulator.environment | {"POLYGON_POLL_S": "0.1"}
        async with running(fleet, "polygon_ingester", environment):
            await caught_up(fleet, simulator)
            simulator.faults.order(Fault(kind="reorg_remove", venue="polygon", amount=20))
            await until(lambda: len(events(fleet, "gap")), 1, give_up_s=40, what="told")
        (gap,) = events(fleet, "gap")
        vanished = simulator.ledger.facts()["polygon"]["vanished"]

    told = [event_id for event_id in vanished if event_id in sums(fleet)]
    assert gap.detail.startswith(f"reorg: {len(told)} events vanished: ")


async def test_a_recording_of_answers_is_the_chain_that_they_speak_of(tmp_path):
    world = World()
    world.mine(match(1))
    world.mine(match(2))
    first = world.chain.blocks[0].number
    asked = b'[{"id":1,"method":"eth_getLogs","params":[{"fromBlock":"%s","toBlock":"%s"}]},' % (
        hex(first).encode(),
        hex(first + 1).encode(),
    )
    asked += b'{"id":2,"method":"eth_getBlockByNumber","params":["%s",false]}]' % hex(first + 1).encode()
    payload = world.node.answer(asked, world.view).decode()
    event = {"connection": "http", "method": "POST", "url": "https://rpc.example/", "status": 200, "payload": payload}
    path = capture(tmp_path / "polygon.gz", "polygon", [event])
    async with replay([path]) as simulator:
        logs = (await called(simulator, "eth_getLogs", {"fromBlock": hex(first), "toBlock": hex(first + 1)}))["result"]
        head = await head_of(simulator)

    assert [log["data"] for block in world.chain.blocks for log in block.logs] == [log["data"] for log in logs]
    assert head > first + 5
