"""Forms and addresses filled by strangers change nothing, run nothing and break nothing."""

import shutil

import pytest
import requests

from monitoring.actions.registry import ACTIONS
from monitoring.registry import PAGES
from tests.fleet_harness import Fleet
from tests.hostile_kit import PAYLOADS, held, is_harmless, open_dashboard, rows, token_in

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]
HERE = {"Sec-Fetch-Site": "same-origin"}
LARGE = 10 * 2**20
GOOD = {
    "group": "clickhouse_writer", "topic": "trades", "to": "beginning", "shard": "stream:trades", "what": "lag",
    "program": "binance_ingester", "list": "SOLUSDT", "add": "SOLUSDT",
}  # fmt: skip
NO_SUPERVISOR = {"start", "stop", "restart"}  # there is none here, and that is told
WITH_A_FORM = {"pause", "symbols", "list", "mute"}  # the others find nothing to act upon here
FREE = ("q", "venue", "where", "id", "kind", "at", "entry", "beside", "query")
BOUND = ("page", "before", "range", "interval")
POST = {"headers": HERE, "timeout": 20, "allow_redirects": False}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with Fleet(tmp_path_factory.mktemp("hostile")) as made:
        made.url = open_dashboard(made)
        made.before = held(made), rows(made)
        with requests.Session() as made.session:
            yield made


def get(fleet, path, params):
    return fleet.session.get(f"{fleet.url}{path}", params=params, timeout=20)


def token_of(fleet, action):
    return token_in(get(fleet, f"/do/{action.name}", GOOD).text)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_what_strangers_put_into_a_form_changes_nothing(fleet, action):
    token, odd = token_of(fleet, action), {}
    for name, payload in PAYLOADS.items():
        form = dict.fromkeys([*action.fields, *(one.name for one in action.inputs)], payload)
        sure = {**form, "token": token, "confirm": "yes", "typed": payload, "seen": payload}
        looked = get(fleet, f"/do/{action.name}", form)
        done = fleet.session.post(f"{fleet.url}/do/{action.name}", sure, **POST)
        odd |= {(name, how): one.status_code for how, one in (("look", looked), ("do", done)) if not is_harmless(one)}

    assert (odd if action.name not in NO_SUPERVISOR else {}) == {}
    assert token or action.name not in WITH_A_FORM


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_a_form_from_elsewhere_and_one_that_is_too_large_are_refused(fleet, action):
    address, form = f"{fleet.url}/do/{action.name}", {"token": token_of(fleet, action), "confirm": "yes"}
    elsewhere = [
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {},
        {**HERE, "Host": "evil.example"},
    ]
    answers = [requests.post(address, form, headers=headers, timeout=10).status_code for headers in elsewhere]
    forged = requests.post(address, {**form, "token": "0" * 64}, **POST)

    assert [403, 403, 403, 403, 421] == answers
    assert (403, 413) == (forged.status_code, posted_in_bulk(address))


def posted_in_bulk(address):
    """The answer to ten megabytes; a server that stops reading may close before all is sent."""
    try:
        form = {**HERE, "Content-Type": "application/x-www-form-urlencoded"}
        return requests.post(address, b"list=" + b"A" * LARGE, headers=form, timeout=60).status_code
    except requests.ConnectionError:
        return 413


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_strangers_put_into_an_address_is_shown_as_it_is_or_refused(fleet, page):
    odd, path = {}, page.path.replace(":path", "").format(name="trades", venue="binance", symbol="BTCUSDT")
    for name, payload in PAYLOADS.items():
        asked = {names[0]: get(fleet, path, dict.fromkeys(names, payload)) for names in (FREE, BOUND)}
        odd |= {(name, only): answer.status_code for only, answer in asked.items() if not is_harmless(answer)}

    assert {} == odd


def test_any_name_may_stand_in_a_path(fleet):
    odd = {}
    for name, payload in PAYLOADS.items():
        word = requests.utils.quote(payload, safe="")
        for path in (f"/streams/{word}", f"/i/binance/{word}", f"/i/{word}/BTCUSDT", f"/do/{word}", f"/done/{word}"):
            answer = get(fleet, path, {})
            odd |= {} if is_harmless(answer) else {(name, path[:9]): answer.status_code}

    assert {} == odd


def test_places_where_a_person_looks_first_take_any_name(fleet):
    odd = {}
    for name, payload in PAYLOADS.items():
        for path in ("/venues/symbols", "/venues/symbols.csv", "/system/log", "/api/v1/trends"):
            answer = get(fleet, path, dict.fromkeys(("program", "search", "only", "of", "range"), payload))
            odd |= {} if is_harmless(answer) else {(name, path): answer.status_code}

    assert {} == odd


def test_after_all_of_it_both_servers_hold_what_they_held(fleet):
    assert fleet.before == (held(fleet), rows(fleet))
