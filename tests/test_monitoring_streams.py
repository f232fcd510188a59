"""The pages of streams: a walk, a jump, a search, an export; what lies there, and nobody's place is moved."""

import json
from urllib.parse import quote

import pytest
import requests

from tests.monitoring_fixtures import busy_stage, dashboard

pytestmark = pytest.mark.redis
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with busy_stage(tmp_path_factory.mktemp("redis")) as (stage, port):
        stage.halt()
        for number in range(120):
            stage.call(stage.fleet.append("tickers", records=1, data=_ticker(f"SYM-{number}")))
        stage.call(stage.fleet.append("tickers", records=2, data=_ticker(HOSTILE) + b"\n" + _ticker("SYM-LAST")))
        yield stage, port


@pytest.fixture(scope="module")
def url(stage, tmp_path_factory):
    with dashboard(tmp_path_factory.mktemp("dashboard"), stage[1]) as url:
        yield url


@pytest.mark.parametrize("topic", ["tickers", "books"])
def test_a_stream_is_walked_to_its_end_without_a_hole_or_a_repeat(url, stage, topic):
    keys = [shard.key for shard in stage[0].fleet.shards() if shard.stream.topic == topic]
    lying = {(key, entry_id.decode()) for key in keys for entry_id, _ in stage[0].call(stage[0].redis.xrange(key))}
    seen, older = [], ""
    while True:
        page = get(f"{url}/api/v1/streams/{topic}", before=older)
        seen += [(entry["key"], entry["id"]) for entry in page["entries"]]
        older = page["older"]
        if not older:
            break

    assert len(seen) == len(set(seen))
    assert lying == set(seen)
    assert sorted((_time(entry_id) for _, entry_id in seen), reverse=True) == [_time(entry_id) for _, entry_id in seen]


def test_the_way_back_shows_the_same_page(url):
    first = get(f"{url}/api/v1/streams/tickers")
    second = get(f"{url}/api/v1/streams/tickers", before=first["older"])
    back = get(f"{url}/api/v1/streams/tickers", after=second["newer"])

    assert [entry["id"] for entry in first["entries"]] == [entry["id"] for entry in back["entries"]]


def test_a_search_tells_how_many_records_it_looked_through(url, stage):
    page = get(f"{url}/api/v1/streams/tickers", where="symbol=SYM-7")

    assert ["SYM-7"] == [json.loads(entry["texts"][0])["symbol"] for entry in page["entries"]]
    assert stage[0].fleet.offsets["stream:tickers"] == page["searched"]


def test_a_search_finds_one_record_of_an_entry(url):
    page = get(f"{url}/api/v1/streams/tickers", where="symbol=SYM-LAST")

    assert [(2, 1)] == [(entry["records"], len(entry["texts"])) for entry in page["entries"]]


def test_a_search_is_bounded_and_can_go_on(url, stage):
    rows = b"\n".join([b'{"symbol":"A"}'] * 6000)
    stage[0].call(stage[0].fleet.append("bars", records=1, data=b'{"symbol":"NEEDLE"}'))
    for _ in range(2):
        stage[0].call(stage[0].fleet.append("bars", records=6000, data=rows))
    page = get(f"{url}/api/v1/streams/bars", where="symbol=NEEDLE")
    further = get(f"{url}/api/v1/streams/bars", where="symbol=NEEDLE", before=page["older"])

    assert (12_000, 0) == (page["searched"], len(page["entries"]))
    assert 1 == len(further["entries"])


def test_one_can_jump_to_an_id_and_to_a_time(url):
    middle = get(f"{url}/api/v1/streams/tickers")["entries"][20]
    by_id = get(f"{url}/api/v1/streams/tickers", at=middle["id"])
    before_all = get(f"{url}/api/v1/streams/tickers", at="2001-01-01 00:00:00")

    assert middle["id"] == by_id["entries"][0]["id"]
    assert [] == before_all["entries"]


def test_what_is_not_understood_is_said(url):
    assert "expected an id" in get(f"{url}/api/v1/streams/tickers", at="yesterday")["complaint"]
    assert "expected field=value" in get(f"{url}/api/v1/streams/tickers", where="BTCUSDT")["complaint"]


def test_the_export_holds_every_record_of_what_is_shown(url):
    shown = get(f"{url}/api/v1/streams/tickers")
    lines = requests.get(f"{url}/streams/tickers/export", timeout=5).text.splitlines()

    assert sum(entry["records"] for entry in shown["entries"]) == len(lines)
    assert {"SYM-LAST", HOSTILE} <= {json.loads(line)["record"]["symbol"] for line in lines}


def test_looking_at_a_stream_moves_nobodys_place(url, stage):
    def places():
        return stage[0].call(stage[0].redis.execute_command("XINFO GROUPS", "stream:tickers"))

    before = places()
    for query in ({}, {"where": "symbol=SYM-1"}, {"at": "2001-01-01"}):
        get(f"{url}/api/v1/streams/tickers", **query)

    assert before == places()


@pytest.mark.parametrize("name", ["nope", "../../etc/passwd", "stream:trades", HOSTILE, "trades%00", "{books:0}"])
def test_a_stream_that_is_none_is_not_there(url, name):
    answer = requests.get(f"{url}/streams/{quote(name, safe='')}", timeout=5)

    assert 404 == answer.status_code
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize("query", [f"where=symbol={HOSTILE}", f"at={HOSTILE}", 'where="><img src=x>=1'])
def test_hostile_words_are_shown_as_words(url, query):
    name, _, value = query.partition("=")
    page = requests.get(f"{url}/streams/tickers", params={name: value}, timeout=5).text

    assert "<script>alert" not in page
    assert "<img" not in page


def _ticker(symbol):
    return json.dumps({"venue": "binance", "symbol": symbol, "received_ns": 1, "last_price": "1.5"}).encode()


def _time(entry_id):
    return tuple(map(int, entry_id.split("-")))


def get(url, **query):
    answer = requests.get(url, params=query, timeout=15)
    assert answer.status_code == 200, answer.text[:500]
    return answer.json()
