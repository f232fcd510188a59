"""What changes on the chain without a word is told once, with an example."""

import json

from tests.polygon_kit import BLOCK_S, Recorder, World, match


def told(recorder, kind):
    return [(one.channel, one.found) for one in recorder.told(kind)]


def with_more(body, **names):
    """Return a node's answer with a field more in each log and each block."""
    replies = json.loads(body)
    for reply in replies if isinstance(replies, list) else [replies]:
        result = reply.get("result")
        for one in result if isinstance(result, list) else [result]:
            if isinstance(one, dict):
                one.update(names)
    return json.dumps(replies).encode()


def catch_up(recorder, **names):
    for _ in range(300):
        body = recorder.world.node.answer(recorder.fetch.body, recorder.world.view)
        recorder.turn(payload=with_more(body, **names))


def test_unknown_fields_are_told_once_with_an_example():
    world = World()
    world.grow(300)
    recorder = Recorder(world)
    catch_up(recorder, l2Origin="0x1")

    assert [("log", "l2Origin"), ("block", "l2Origin")] == told(recorder, "schema_change")
    assert "0x1" in recorder.told("schema_change")[0].detail
    assert world.ids(until=world.chain.head - 5) == recorder.ids()


def test_the_fields_that_nodes_are_known_to_send_are_no_news():
    world = World(tells_time=True)
    world.grow(30)
    recorder = Recorder(world)
    catch_up(recorder, miner="0x0", gasUsed="0x1")

    assert {"gasUsed, miner"} == {found for channel, found in told(recorder, "schema_change") if channel == "log"}
    assert [] == [one for one in told(recorder, "schema_change") if one[0] == "block"]


def test_an_event_of_another_shape_is_told_once_and_each_is_set_aside():
    world = World()
    world.grow(20)
    for block in world.chain.blocks[5:10]:
        for log in block.logs:
            log["data"] += "00" * 32
    recorder = Recorder(world)
    recorder.catch_up()
    (event,) = recorder.told("schema_change")

    assert "OrderFilled" == event.channel
    assert "expected 448 digits and 4 topics, found 512 digits and 4 topics" == event.found
    assert '"transactionHash"' in event.detail


def test_contracts_that_have_gone_quiet_are_told_and_so_is_their_return():
    world = World()
    world.grow(10)
    world.grow(3_700 // BLOCK_S, matches=0)
    recorder = Recorder(world)
    recorder.catch_up()
    quiet = [one.detail for one in recorder.told("stale") if "no fill" in one.detail]
    world.mine(match(9_999))
    world.grow(6, matches=0)
    recorder.catch_up()

    assert 1 == len(quiet)
    assert ["there are fills again"] == [one.detail for one in recorder.told("resync")]
