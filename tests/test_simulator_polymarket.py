"""Gamma as the simulator keeps it: page caps, the end of offsets, the keyset, filters, exact bytes."""

import asyncio
import json
import random

import pytest
import requests

from simulator.demo.market_text import market_text, new_market
from simulator.limits import Limits
from simulator.markets import moment_s
from simulator.run import replay
from tests.simulator_kit import capture, get, markets_page


def market(number, **more):
    return {"id": str(number), "slug": f"market-{number}", "conditionId": f"0x{number}", "closed": False} | more


@pytest.fixture
def session(tmp_path):
    markets = [
        market(3, createdAt="2026-01-02T00:00:00.5Z", active=True, clobTokenIds='["31", "32"]', volumeNum=2),
        market(1, createdAt="2026-01-02T00:00:00Z", active=True, clobTokenIds='["11", "12"]', volumeNum=10.5),
        market(2, createdAt="2025-12-31T00:00:00.123Z", active=False, closed=True, positionIds=["21", "22"]),
    ]
    return capture(tmp_path / "gamma.gz", "polymarket", [markets_page(markets)])


def many(tmp_path, count):
    return capture(tmp_path / "many.gz", "polymarket", [markets_page([market(n) for n in range(count)])])


async def ids(simulator, path="/markets", **query):
    body = (await get(simulator.environment["POLYMARKET_GAMMA_URL"] + path, **query)).json()
    return [row["id"] for row in (body["markets"] if isinstance(body, dict) else body)]


async def test_a_page_is_silently_capped_at_100(tmp_path):
    async with replay([many(tmp_path, 150)]) as simulator:
        assert 100 == len(await ids(simulator, limit=500))
        assert 20 == len(await ids(simulator))
        assert [] == await ids(simulator, limit=100, offset=150)


async def test_a_deep_offset_is_refused_with_422(tmp_path):
    async with replay([many(tmp_path, 1)]) as simulator:
        answer = await get(simulator.environment["POLYMARKET_GAMMA_URL"] + "/markets", offset=2001)

    error = "offset too large, use /markets/keyset for deeper pagination"
    assert (422, {"type": "validation error", "error": error}) == (answer.status_code, answer.json())


async def test_the_last_keyset_page_has_no_next_cursor(tmp_path):
    async with replay([many(tmp_path, 5)]) as simulator:
        url = simulator.environment["POLYMARKET_GAMMA_URL"] + "/markets/keyset"
        first = (await get(url, limit=3)).json()
        last = (await get(url, limit=3, after_cursor=first["next_cursor"])).json()

    assert [["0", "1", "2"], ["3", "4"]] == [[row["id"] for row in page["markets"]] for page in (first, last)]
    assert "next_cursor" not in last


@pytest.mark.parametrize("wrong_name", ["cursor", "next_cursor"])
async def test_a_wrong_cursor_name_gives_page_one_for_ever(tmp_path, wrong_name):
    async with replay([many(tmp_path, 5)]) as simulator:
        url = simulator.environment["POLYMARKET_GAMMA_URL"] + "/markets/keyset"
        cursor = (await get(url, limit=2)).json()["next_cursor"]
        page = (await get(url, limit=2, **{wrong_name: cursor})).json()

    assert (["0", "1"], cursor) == ([row["id"] for row in page["markets"]], page["next_cursor"])


async def test_a_cursor_belongs_to_its_query(tmp_path):
    async with replay([many(tmp_path, 5)]) as simulator:
        url = simulator.environment["POLYMARKET_GAMMA_URL"] + "/markets/keyset"
        cursor = (await get(url, limit=2, closed="false")).json()["next_cursor"]
        answers = [await get(url, limit=2, after_cursor=cursor), await get(url, limit=2, offset=1)]

    assert [422, 422] == [answer.status_code for answer in answers]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["3", "1", "2"]),
        ({"order": "id", "ascending": "true"}, ["1", "2", "3"]),
        ({"order": "id"}, ["3", "2", "1"]),
        ({"order": "createdAt", "ascending": "true"}, ["2", "1", "3"]),
        ({"order": "created_at", "ascending": "true"}, ["3", "1", "2"]),
        ({"order": "volumeNum"}, ["1", "3", "2"]),
        ({"closed": "true"}, ["2"]),
        ({"active": "true"}, ["3", "1"]),
        ({"clob_token_ids": ["12", "32"]}, ["3", "1"]),
        ({"clob_token_ids": "22"}, ["2"]),
        ({"condition_ids": ["0x1", "0x2"]}, ["1", "2"]),
        ({"id": ["3", "2"]}, ["3", "2"]),
        ({"slug": "market-1"}, ["1"]),
        ({"volume_num_min": "3"}, ["1"]),
        ({"start_date_min": "2026-01-01"}, []),
    ],
)
async def test_filters_and_orders(session, query, expected):
    async with replay([session]) as simulator:
        assert expected == await ids(simulator, **query)
        assert expected == await ids(simulator, "/markets/keyset", **query)


async def test_the_bytes_of_a_market_are_the_recorded_ones(tmp_path):
    raw = '{"id":"7","slug":"s","volume":"1.10","volumeNum":1.10,"liquidityNum":1e2,"new":1.0}'
    page = markets_page([]) | {"payload": f"[{raw}]"}
    async with replay([capture(tmp_path / "a.gz", "polymarket", [page])]) as simulator:
        url = simulator.environment["POLYMARKET_GAMMA_URL"]
        texts = [(await get(url + path)).text for path in ("/markets", "/markets/7", "/markets/slug/s")]

    assert [f"[{raw}]", raw, raw] == texts


async def test_the_newest_state_of_a_market_wins_and_keeps_its_place(tmp_path):
    pages = [markets_page([market(1), market(2)]), markets_page([market(1, closed=True)])]
    async with replay([capture(tmp_path / "a.gz", "polymarket", pages)]) as simulator:
        body = (await get(simulator.environment["POLYMARKET_GAMMA_URL"] + "/markets")).json()

    assert [("1", True), ("2", False)] == [(row["id"], row["closed"]) for row in body]


async def test_the_ledger_tells_which_markets_were_served(session):
    async with replay([session]) as simulator:
        await ids(simulator, closed="true")
        facts = simulator.ledger.facts(ids=True)["polymarket"]

    assert (3, 1, ["2"], ["3", "1", "2"]) == tuple(
        facts[name] for name in ("markets", "served", "served_ids", "market_ids")
    )


async def test_too_many_requests_wait_in_a_queue(session):
    async with replay([session], limits=Limits(gamma_per_10s=2)) as simulator:
        for _ in range(2):
            await ids(simulator)
        url = simulator.environment["POLYMARKET_GAMMA_URL"] + "/markets"
        with pytest.raises(OSError, match="timed out"):
            await _get_within(url, 0.3)


async def _get_within(url, timeout_s):
    await asyncio.to_thread(requests.get, url, timeout=timeout_s)


@pytest.mark.parametrize(
    "text", ["2026-03-31T00:00:00Z", "2026-03-31", "2026-03-31 00:00:00+00", "2026-03-31T00:00:00.0Z"]
)
def test_the_four_shapes_of_a_time_are_one_moment(text):
    assert 1774915200.0 == moment_s(text)


async def test_only_gamma_is_switched_on_when_only_gamma_was_recorded(session):
    async with replay([session]) as simulator:
        switches = {name: value for name, value in simulator.environment.items() if name.endswith("_ENABLED")}

    assert {"POLYMARKET_ENABLED"} == {name for name, value in switches.items() if value == "true"}
    assert {"BINANCE_ENABLED", "GOLDSKY_ENABLED", "OKX_ENABLED"} <= switches.keys()


def test_an_invented_market_has_the_traps_of_the_real_ones():
    chance = random.Random(5)
    texts = [json.loads(market_text(new_market(n, 1_770_000_000_123_450_000, chance), 1)) for n in range(400)]

    assert all(isinstance(json.loads(text["outcomes"]), list) for text in texts)
    assert {True, False} == {"volume" in text for text in texts} == {"positionIds" in text for text in texts}
    assert {True, False} == {"endDate" in text for text in texts} == {text["negRisk"] for text in texts}
    assert {int, float} == {type(text["volumeNum"]) for text in texts if "volumeNum" in text}
    assert all(text["createdAt"].endswith(".12345Z") for text in texts)
