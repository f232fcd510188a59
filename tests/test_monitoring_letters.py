"""The page of dead letters: what is shown of them, and what an operator may do to them, once and after a look."""

import re

import pytest
import requests

from tests.monitoring_fixtures import dashboard
from tests.stored_kit import LETTER, get, letter_id, servers_of, stored_fleet

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]
PASSWORD = "correct horse"
OPERATOR = ("any", PASSWORD)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    with stored_fleet(tmp_path_factory.mktemp("stored")) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def url(stored, tmp_path_factory):
    with dashboard(tmp_path_factory.mktemp("dashboard"), stored.redis_port, **servers_of(stored)) as url:
        yield url


@pytest.fixture(scope="module")
def guarded(stored, tmp_path_factory):
    """A dashboard with a password: whoever knows it is an operator."""
    folder = tmp_path_factory.mktemp("guarded")
    with dashboard(folder, stored.redis_port, DASHBOARD_PASSWORD=PASSWORD, **servers_of(stored)) as url:
        yield url


def test_dead_letters_are_grouped_by_their_reason_without_its_numbers(url):
    view = get(f"{url}/api/v1/dead-letters")

    assert {
        ("price: expected a number at byte #", "clickhouse_writer", 2),
        ("price: expected a number at byte #", "binance_ingester", 1),
    } == {(row["kind"], row["program"], row["letters"]) for row in view["kinds"]}
    assert [letter_id(0), letter_id(1), letter_id(2)] == [letter["id"] for letter in view["letters"]]


def test_one_letter_is_shown_as_text_and_as_hexadecimal(url):
    page = requests.get(f"{url}/dead-letters", params={"id": letter_id(2)}, timeout=15).text

    assert "&lt;b&gt;1&lt;/b&gt;" in page
    assert LETTER.encode().hex(" ")[:47] in page
    assert f"./fleet dlq drop {letter_id(2)}" in page


def test_without_a_password_nothing_can_be_done_from_a_browser(url):
    answer = requests.post(f"{url}/dead-letters", data={"action": "drop", "id": letter_id(0)}, timeout=5)

    assert 403 == answer.status_code
    assert "DASHBOARD_PASSWORD" in answer.text
    assert '<form class="act"' not in requests.get(f"{url}/dead-letters", timeout=15).text


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({"sec-fetch-site": "cross-site"}, None),
        ({"origin": "http://evil.example"}, None),
        ({}, None),
        ({"sec-fetch-site": "same-origin"}, "guessed"),
    ],
)
def test_a_foreign_form_is_refused(guarded, stored, headers, token):
    form = {"action": "drop", "id": letter_id(0), "confirm": "yes", "token": token or _token(guarded)}
    answer = requests.post(f"{guarded}/dead-letters", data=form, headers=headers, auth=OPERATOR, timeout=15)

    assert 403 == answer.status_code
    assert not stored.redis.exists("dead_letters:settled")


def test_letters_go_back_once_and_only_after_a_look(guarded, stored):
    kind = "price: expected a number at byte #"
    form = {"action": "redrive", "kind": kind, "token": _token(guarded)}
    here = {"sec-fetch-site": "same-origin"}

    def post(**more):
        return requests.post(f"{guarded}/dead-letters", data=form | more, headers=here, auth=OPERATOR, timeout=15).text

    preview = post()
    assert '<b id="touched">3</b>' in preview
    assert 0 == stored.redis.xlen("stream:trades")
    done, again = post(confirm="yes"), post(confirm="yes")

    assert "redriven" in done
    assert 2 == stored.redis.xlen("stream:trades")
    assert [LETTER] * 2 == [entry["data"] for _, entry in stored.redis.xrange("stream:trades")]
    assert re.search(r"not from a stream.*1", again, re.DOTALL)


def _token(url):
    page = requests.get(f"{url}/dead-letters", auth=OPERATOR, timeout=15).text
    return re.search(r'name="token" value="([^"]+)"', page)[1]
