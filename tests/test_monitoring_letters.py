"""The page of dead letters: what is shown of them, and what an operator may do to them, once and after a look."""

import re

import pytest
import requests

from common.settling import SETTLED
from monitoring.doing.letters import AT_ONCE
from tests.monitoring_fixtures import dashboard
from tests.stored_kit import LETTER, get, letter_id, servers_of, stored_fleet

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]
PASSWORD, LOOKING = "correct horse", "battery staple"
OPERATOR, READER = ("ann", PASSWORD), ("bob", LOOKING)
HERE = {"sec-fetch-site": "same-origin"}
KIND = "price: expected a number at byte #"


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    with stored_fleet(tmp_path_factory.mktemp("stored")) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def url(stored, tmp_path_factory):
    """A dashboard on loopback without a password: who is on this machine may act."""
    with dashboard(tmp_path_factory.mktemp("dashboard"), stored.redis_port, **servers_of(stored)) as url:
        yield url


@pytest.fixture(scope="module")
def guarded(stored, tmp_path_factory):
    """A dashboard with a password for those who act and one for those who look."""
    folder = tmp_path_factory.mktemp("guarded")
    passwords = {"DASHBOARD_PASSWORD": PASSWORD, "DASHBOARD_READER_PASSWORD": LOOKING}
    with dashboard(folder, stored.redis_port, **passwords, **servers_of(stored)) as url:
        yield url


def test_dead_letters_are_grouped_by_their_reason_without_its_numbers(url):
    view = get(f"{url}/api/v1/dead-letters")

    assert {(KIND, "clickhouse_writer", 2), (KIND, "binance_ingester", 1)} == {
        (row["kind"], row["program"], row["letters"]) for row in view["kinds"]
    }
    assert [letter_id(0), letter_id(1), letter_id(2)] == [letter["id"] for letter in view["letters"]]


def test_one_letter_is_shown_as_text_and_as_hexadecimal(url):
    page = requests.get(f"{url}/dead-letters", params={"id": letter_id(2)}, timeout=15).text

    assert "&lt;b&gt;1&lt;/b&gt;" in page
    assert LETTER.encode().hex(" ")[:47] in page
    assert f"./fleet dlq drop {letter_id(2)}" in page


def test_who_may_only_look_sees_what_would_be_done_and_cannot_do_it(guarded, stored):
    address = f"{guarded}/do/drop"
    page = requests.get(address, params={"id": letter_id(0)}, auth=READER, timeout=15).text
    token = re.search(r'name="token"', page)
    form = {"id": letter_id(0), "confirm": "yes", "token": _token(guarded, "drop")}
    answer = requests.post(address, data=form, headers=HERE, auth=READER, timeout=15)

    assert f"./fleet dlq drop {letter_id(0)}" in page
    assert token is None
    assert 403 == answer.status_code
    assert not stored.redis.exists("dead_letters:settled")


@pytest.mark.parametrize("auth", [None, ("ann", "guessed"), ("ann", "")])
def test_who_knows_no_password_sees_nothing(guarded, auth):
    for path in ("/", "/do/drop?all=yes", "/actions", "/system/log?program=dashboard", "/api/v1/overview"):
        assert 401 == requests.get(f"{guarded}{path}", auth=auth, timeout=15).status_code


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({"sec-fetch-site": "cross-site"}, None),
        ({"sec-fetch-site": "none"}, None),
        ({"origin": "http://evil.example"}, None),
        ({}, None),
        (HERE, "guessed"),
        (HERE, "of another action"),
        (HERE, "of somebody else"),
    ],
)
def test_a_foreign_form_is_refused(guarded, stored, headers, token):
    tokens = {
        None: _token(guarded, "drop"),
        "of another action": _token(guarded, "redrive"),
        "of somebody else": _token(guarded, "drop", auth=("eve", PASSWORD)),
    }
    form = {"id": letter_id(0), "confirm": "yes", "token": tokens.get(token, token)}
    answer = requests.post(f"{guarded}/do/drop", data=form, headers=headers, auth=OPERATOR, timeout=15)

    assert 403 == answer.status_code
    assert not stored.redis.exists("dead_letters:settled")


def test_a_form_larger_than_ours_is_refused_unread(guarded):
    form = {"list": "A" * 10_000_000, "token": "x"}
    answer = requests.post(f"{guarded}/do/list", data=form, headers=HERE, auth=OPERATOR, timeout=15)

    assert 413 == answer.status_code


def test_a_mended_letter_goes_back_once_if_it_can_be_read_now(guarded, stored):
    token = _token(guarded, "mend", id=letter_id(1))
    good = LETTER.replace('"<b>1</b>"', '"1"')

    def post(payload, **more):
        form = {"id": letter_id(1), "payload": payload, "token": token} | more
        return requests.post(f"{guarded}/do/mend", data=form, headers=HERE, auth=OPERATOR, timeout=15)

    look = post(good)
    assert "could not be read either" in look.text
    assert 409 == post(good, confirm="yes").status_code
    whole = (
        '{"venue":"binance","symbol":"BTCUSDT","received_ns":1,"trade_id":"1","event_ns":1,"price":"1","size":"1",'
        '"taker_side":"buy"}'
    )
    assert 'class="confirm"' in post(whole).text
    assert "done" in post(whole, confirm="yes").text
    assert [whole] == [entry["data"] for _, entry in stored.redis.xrange("stream:trades")]
    assert 409 == post(whole, confirm="yes").status_code


def test_of_more_letters_than_go_at_once_the_oldest_go_and_then_the_others(guarded, stored):
    kind = "size: # is too many"
    stored.command(
        "INSERT INTO dead_letters (id, received_time, program, reason, encoding) "
        "SELECT concat('many-', toString(number)), "
        "fromUnixTimestamp(1000000000 + number), 'x', concat('size: ', toString(number), ' is too many'), 'text' "
        f"FROM numbers({AT_ONCE + 1})"
    )

    def look():
        return requests.get(f"{guarded}/do/drop", params={"kind": kind}, auth=OPERATOR, timeout=15).text

    first = look()
    stored.redis.hset(SETTLED, mapping={f"many-{number}": "dropped" for number in range(AT_ONCE)})
    then = look()
    stored.redis.hdel(SETTLED, *(f"many-{number}" for number in range(AT_ONCE)))
    stored.command("ALTER TABLE dead_letters DELETE WHERE startsWith(id, 'many-') SETTINGS mutations_sync = 1")

    assert (True, True) == ("<td>5,000</td>" in first, "do it again" in first)
    assert (True, False) == ("<td>1</td>" in then, "do it again" in then)


def test_letters_go_back_once_and_only_after_a_look(guarded, stored):
    before = stored.redis.xlen("stream:trades")
    form = {"kind": KIND, "token": _token(guarded, "redrive", kind=KIND)}

    def post(**more):
        answer = requests.post(f"{guarded}/do/redrive", data=form | more, headers=HERE, auth=OPERATOR, timeout=15)
        return answer.text

    preview = post()
    assert "<td>2</td>" in preview.split("letters", 1)[1]
    assert "./fleet dlq redrive --kind " in preview
    assert before == stored.redis.xlen("stream:trades")
    done, again = post(confirm="yes"), post(confirm="yes")

    assert "1 redriven" in done
    assert "1 not from a stream" in done
    assert before + 1 == stored.redis.xlen("stream:trades")
    assert "1 not from a stream" in again
    assert "redriven" not in again.split("<main", 1)[1]


def test_what_was_done_is_shown_with_who_did_it(guarded):
    page = requests.get(f"{guarded}/actions", auth=READER, timeout=15).text
    rows = requests.get(f"{guarded}/api/v1/actions", auth=READER, timeout=15).json()["rows"]

    assert {("ann", "redrive", "done"), ("ann", "mend", "done")} <= {
        (row["who"], row["action"], row["outcome"]) for row in rows
    }
    assert "dashboard, 127.0.0.1" in page


def test_everything_is_dropped_only_when_that_was_typed(url, stored):
    token = _token(url, "drop", auth=None, all="yes")
    form = {"all": "yes", "confirm": "yes", "token": token}

    def post(typed):
        return requests.post(f"{url}/do/drop", data=form | {"typed": typed}, headers=HERE, timeout=15)

    assert 409 == post("").status_code
    assert "expected all to be typed" in post("every").text
    post("all")
    assert 3 == stored.redis.hlen("dead_letters:settled")


def _token(url, action, *, auth=OPERATOR, **query):
    page = requests.get(f"{url}/do/{action}", params=query or {"id": letter_id(0)}, auth=auth, timeout=15).text
    found = re.search(r'name="token" value="([^"]+)"', page)
    return found[1] if found else "none"
