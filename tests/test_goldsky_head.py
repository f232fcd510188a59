"""How far the subgraph has come: a head that stands still, lags, errs or is not told."""

import msgspec
import pytest

from common.errors import BadAnswer
from common.records import FeedEvent
from common.settings import Settings
from ingesters.feed import Frame, Resume, hear
from ingesters.venues.goldsky import GoldskyFeed
from tests.goldsky_kit import SECOND_NS, START_S, Loop, Subgraph, row

NOW_NS = START_S * SECOND_NS


def page(*rows: dict[str, str], **answer: object) -> bytes:
    return msgspec.json.encode({"data": {"orderFilledEvents": rows}} | answer)


def heard(feed: GoldskyFeed, body: bytes, key: str = "page") -> list:
    return hear(feed, Frame(NOW_NS, body, reply_to=key))


def fresh(**state: str) -> GoldskyFeed:
    return GoldskyFeed(Settings(), Resume({f"goldsky_{name}": value for name, value in state.items()}))


def test_a_subgraph_without_a_head_is_read_all_the_same_and_told_once():
    subgraph = Subgraph(has_meta=False)
    subgraph.add(row(1, START_S))
    loop = Loop(subgraph)
    loop.run_for(60)
    kinds = [kind for kind, _ in loop.told()]

    assert ["1"] == loop.ids()
    assert ["schema_change"] == kinds


def test_a_question_on_its_way_when_the_head_went_is_asked_without_it():
    feed = fresh()
    refusal = b'{"errors":[{"message":"Type `Query` has no field `_meta`"}]}'
    heard(feed, refusal)
    again = heard(feed, refusal, key="recheck")

    assert b"_meta" not in again[-1].body


def test_a_head_that_stands_still_is_told_once_and_its_return_once():
    subgraph = Subgraph(block_timestamp=START_S)
    loop = Loop(subgraph, goldsky_lag_s=100)
    loop.run_for(500)
    subgraph.block_timestamp = None
    subgraph.block += 1
    loop.run_for(500)

    assert ["stale", "resync"] == [kind for kind, _ in loop.told()]


def test_a_stale_head_names_the_stretch_that_may_be_missing():
    subgraph = Subgraph(block_timestamp=START_S)
    loop = Loop(subgraph, goldsky_lag_s=100)
    loop.run_for(500)
    event = next(record for record in loop.records if isinstance(record, FeedEvent))

    assert ("subgraph", START_S * SECOND_NS) == (event.channel, event.from_ns)
    assert 100 * SECOND_NS < event.to_ns - event.from_ns <= 105 * SECOND_NS
    assert event.detail.endswith("is 105 s behind and has not moved for 105 s")


def test_a_head_that_wavers_about_the_limit_is_told_once():
    subgraph = Subgraph()
    loop = Loop(subgraph, goldsky_lag_s=100)
    for behind_s in (103, 97) * 5:
        subgraph.block_timestamp = loop.now_ns // SECOND_NS + 5 - behind_s  # at the next poll
        loop.run_for(5)

    assert ["stale"] == [kind for kind, _ in loop.told()]


def test_a_head_without_a_time_is_as_old_as_it_stands_still():
    feed = fresh()
    meta = {"block": {"number": 1, "hash": None, "timestamp": None}, "hasIndexingErrors": False}
    body = msgspec.json.encode({"data": {"_meta": meta, "orderFilledEvents": []}})
    heard(feed, body)
    later = hear(feed, Frame(NOW_NS + 601 * SECOND_NS, body, reply_to="page"))

    assert [("stale", NOW_NS)] == [(step.kind, step.from_ns) for step in later if isinstance(step, FeedEvent)]


def test_a_new_deployment_of_the_subgraph_is_told():
    feed, told = fresh(), []
    for deployment in ("Qm1", "Qm1", "Qm2"):
        meta = {"block": {"number": 1, "timestamp": START_S}, "hasIndexingErrors": False, "deployment": deployment}
        told += heard(feed, msgspec.json.encode({"data": {"_meta": meta, "orderFilledEvents": []}}))

    assert ["expected deployment Qm1, found Qm2"] == [step.detail for step in told if isinstance(step, FeedEvent)]


def test_indexing_errors_are_told_when_they_come_and_when_they_go():
    subgraph = Subgraph(has_indexing_errors=True)
    loop = Loop(subgraph)
    loop.run_for(60)
    subgraph.has_indexing_errors = False
    loop.run_for(60)

    assert ["stale", "resync"] == [kind for kind, _ in loop.told()]


def test_indexing_errors_told_beside_an_error_are_passed_on_and_no_row_is_taken():
    feed = fresh()
    meta = {"block": {"number": 1}, "hasIndexingErrors": True}
    body = page(row(1, 5), errors=[{"message": "indexing_error"}]).replace(
        b'"data":{', b'"data":{"_meta":%s,' % msgspec.json.encode(meta)
    )
    first = heard(feed, body)

    assert ["FeedEvent", "Fetch"] == [type(step).__name__ for step in first]
    with pytest.raises(BadAnswer, match="indexing_error"):
        heard(feed, body)
