"""The subgraph as the simulator keeps it: honest filters, pages, blocks, limits and reorganisations."""

import json

import pytest

from simulator.faults import Fault
from simulator.limits import Limits
from simulator.run import replay
from tests.simulator_kit import capture, fill, fills_page, post

FIELDS = "id timestamp fee makerAmountFilled"


@pytest.fixture
def session(tmp_path):
    events = [fill(4, 100), fill(2, 100), fill(3, 100), fill(1, 101), fill(9, 90)]
    return capture(tmp_path / "fills.gz", "goldsky", [fills_page(events[:3]), fills_page(events[2:])])


async def asked(simulator, query, **variables):
    return (await post(simulator.environment["GOLDSKY_URL"], {"query": query, "variables": variables})).json()


async def numbers(simulator, arguments, **variables):
    head = "query Q($ts: BigInt!, $id: ID!)" if variables else "query Q"
    body = await asked(simulator, f"{head} {{ orderFilledEvents({arguments}) {{ {FIELDS} }} }}", **variables)
    return [int(event["id"][2:66], 16) for event in body["data"]["orderFilledEvents"]]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("orderBy: timestamp", [9, 2, 3, 4, 1]),
        ("orderBy: timestamp, orderDirection: desc", [1, 4, 3, 2, 9]),
        ("orderBy: id", [1, 2, 3, 4, 9]),
        ("", [1, 2, 3, 4, 9]),
        ("first: 2, orderBy: timestamp", [9, 2]),
        ("first: 2, skip: 1, orderBy: timestamp", [2, 3]),
        ('orderBy: timestamp, where: {timestamp_gt: "90"}', [2, 3, 4, 1]),
        ("orderBy: timestamp, where: {timestamp_gt: 90}", [2, 3, 4, 1]),
        ('orderBy: timestamp, where: {timestamp_gte: "100", timestamp_lt: "101"}', [2, 3, 4]),
        (f'where: {{id_in: ["{fill(3, 0)["id"]}", "{fill(9, 0)["id"]}", "0xno"]}}', [3, 9]),
        (f'where: {{and: [{{timestamp: "100"}}, {{id_gt: "{fill(2, 0)["id"]}"}}]}}', [3, 4]),
        (f'where: {{maker_not: "0x{"a" * 40}"}}', []),
        ('where: {taker_starts_with: "0xbb", fee_gt: "0"}', []),
    ],
)
async def test_arguments_are_evaluated_honestly(session, arguments, expected):
    async with replay([session]) as simulator:
        assert expected == await numbers(simulator, arguments or "first: 100")


async def test_the_or_keyset_walks_through_a_second_larger_than_a_page(session):
    where = "where: {or: [{timestamp_gt: $ts}, {timestamp: $ts, id_gt: $id}]}"
    async with replay([session]) as simulator:
        cursor = fill(2, 100)["id"]

        assert [3, 4] == await numbers(simulator, f"first: 2, orderBy: timestamp, {where}", ts="100", id=cursor)


async def test_big_numbers_are_strings_and_the_block_is_whole(session):
    query = "{ _meta { block { number hash timestamp } hasIndexingErrors deployment } orderFilledEvents { timestamp } }"
    async with replay([session]) as simulator:
        data = (await asked(simulator, query))["data"]

    assert {"90", "100", "101"} == {event["timestamp"] for event in data["orderFilledEvents"]}
    assert 101 <= data["_meta"]["block"]["timestamp"] <= 103
    assert not data["_meta"]["hasIndexingErrors"]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("{ orderFilledEvents(first: 1001) { id } }", 'The value of the argument "first" must be between 0 and 1000'),
        ("{ orderFilledEvents { nonsense } }", "Cannot query field 'nonsense' on type 'OrderFilledEvent'."),
        ("{ orderFilledEvents(", "Syntax Error"),
        ('{ orderFilledEvents(where: {or: [{fee: "0"}], fee: "0"}) { id } }', "Filter by column and `or`"),
        ("{ orderFilledEvents(block: {number: 999999999}) { id } }", "has only indexed up to block number"),
    ],
)
async def test_errors_come_inside_http_200(session, query, reason):
    async with replay([session]) as simulator:
        answer = await post(simulator.environment["GOLDSKY_URL"], {"query": query})

    assert 200 == answer.status_code
    assert reason in answer.json()["errors"][0]["message"]


async def test_a_walk_can_be_pinned_to_a_block(tmp_path):
    path = capture(tmp_path / "a.gz", "goldsky", [fills_page([fill(1, 1_700_000_000), fill(2, 1_700_000_100)])])
    block = (1_700_000_000 - 1_590_824_836) // 2
    async with replay([path]) as simulator:
        assert [1] == await numbers(simulator, f"block: {{number: {block}}}")
        assert [1, 2] == await numbers(simulator, f"block: {{number_gte: {block}}}")


async def test_more_than_fifty_requests_in_ten_seconds_get_429(session):
    async with replay([session], limits=Limits(goldsky_per_10s=2)) as simulator:
        url = simulator.environment["GOLDSKY_URL"]
        answers = [await post(url, {"query": "{ _meta { deployment } }"}) for _ in range(3)]

    assert [200, 200, 429] == [answer.status_code for answer in answers]


async def test_at_a_finite_speed_events_come_when_their_second_has_come(tmp_path):
    path = capture(tmp_path / "a.gz", "goldsky", [fills_page([fill(1, 1_700_000_000), fill(2, 1_700_000_030)])])
    block = (1_700_000_030 - 1_590_824_836) // 2
    async with replay([path], speed=100.0) as simulator:
        assert [1] == await numbers(simulator, "orderBy: timestamp")
        assert [1, 2] == await numbers(simulator, f"orderBy: timestamp, block: {{number_gte: {block}}}")


async def order(simulator, kind, **more):
    simulator.faults.order(Fault(kind=kind, venue="goldsky", **more))


async def test_a_reorganisation_removes_and_moves_events(session):
    async with replay([session]) as simulator:
        await order(simulator, "reorg_remove")
        assert [9, 2, 3, 4] == await numbers(simulator, "orderBy: timestamp")
        await order(simulator, "reorg_retime", delay_s=-20)
        assert [4, 9, 2, 3] == await numbers(simulator, "orderBy: timestamp")
        facts = simulator.ledger.facts()["goldsky"]

    assert ([fill(1, 0)["id"]], [fill(4, 0)["id"]]) == (facts["removed"], facts["retimed"])
    assert 4 == facts["standing"]["maker_fill"]["events"]


async def test_an_entity_can_be_overwritten_by_a_second_event(session):
    async with replay([session]) as simulator:
        await order(simulator, "overwrite")
        body = await asked(simulator, f"{{ orderFilledEvents(first: 1) {{ {FIELDS} }} }}")

    assert "1000000" == body["data"]["orderFilledEvents"][0]["makerAmountFilled"]


async def test_an_event_can_be_delivered_twice_and_a_page_in_part(session):
    async with replay([session]) as simulator:
        await order(simulator, "duplicate_event")
        assert [1, 1, 2, 3, 4, 9] == await numbers(simulator, "first: 100")
        await order(simulator, "partial_data")
        body = await asked(simulator, "{ orderFilledEvents { id } }")

    assert (2, 1) == (len(body["data"]["orderFilledEvents"]), len(body["errors"]))


async def test_a_store_error_comes_with_http_200_and_no_data(session):
    async with replay([session]) as simulator:
        await order(simulator, "graphql_errors")
        body = await asked(simulator, "{ orderFilledEvents { id } }")

    assert ["errors"] == list(body)


async def test_a_frozen_head_stands_still_and_hides_what_is_new(tmp_path):
    path = capture(tmp_path / "a.gz", "goldsky", [fills_page([fill(1, 100), fill(2, 130)])])
    query = "{ _meta { block { number timestamp } hasIndexingErrors } orderFilledEvents { id } }"
    async with replay([path], speed=1000.0) as simulator:
        await order(simulator, "frozen_head", times=None)
        await order(simulator, "indexing_errors", times=None)
        answers = [json.dumps(await asked(simulator, query)) for _ in range(40)]
        kinds = {executed["kind"] for executed in simulator.ledger.facts()["faults"]}

    assert 1 == len(set(answers))
    assert json.loads(answers[0])["data"]["_meta"]["hasIndexingErrors"]
    assert {"frozen_head", "indexing_errors"} == kinds
