"""What is typed into the forms of actions with bad intent, or by a slip, changes nothing and breaks nothing."""

import re

import pytest
import requests

from monitoring.actions.registry import ACTIONS
from tests.monitoring_fixtures import busy_stage, dashboard

pytestmark = pytest.mark.redis

HOSTILE = (
    "<script>alert(1)</script>", "'; DROP TABLE trades; --", "../../../../etc/passwd", "\x00\r\nx: y", "*", "state:*",
    "%s%n{0.__class__}{{7*7}}", "A" * 100_000, "-1", "\ud7ff\U0001f4a9", "1e999",
    "stream:trades'; redis.call('FLUSHALL')",
)  # fmt: skip
HERE = {"sec-fetch-site": "same-origin"}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with busy_stage(tmp_path_factory.mktemp("stage")) as (stage, port):
        stage.halt()
        with dashboard(tmp_path_factory.mktemp("dashboard"), port) as url:
            yield stage, url


def kept(stage):
    """Return everything in Redis but what the dashboard says of itself and what it writes down of attempts."""

    async def read():
        keys = sorted([key async for key in stage.redis.scan_iter()])
        return {key: await stage.redis.dump(key) for key in keys if not _is_told(key.decode())}

    return stage.call(read())


def _is_told(key):
    return key.startswith("proc:") or "actions" in key or "alerts" in key or key == "topics"


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_nothing_hostile_changes_anything(house, action):
    stage, url = house
    before = kept(stage)
    names = [*action.fields, *(one.name for one in action.inputs), "seen", "typed"]
    page = requests.get(f"{url}/do/{action.name}", timeout=15)
    assert 500 > page.status_code or 503 == page.status_code
    for text in HOSTILE:
        form = dict.fromkeys(names, text)
        look = requests.get(f"{url}/do/{action.name}", params=dict.fromkeys(names, text[:2000]), timeout=15)
        token = re.search(r'name="token" value="([^"]+)"', look.text)
        form |= {"confirm": "yes", "token": token[1] if token else text}
        answer = requests.post(f"{url}/do/{action.name}", data=form, headers=HERE, timeout=15)

        for one in (look, answer):
            assert one.status_code in (200, 403, 409, 413, 503), (action.name, text, one.status_code)
            assert "<script>alert" not in one.text
            assert "{0.__class__}49" not in one.text
    assert before == kept(stage)


@pytest.mark.parametrize("path", ["/venues/symbols", "/venues/symbols.csv", "/system/log"])
def test_hostile_addresses_are_answered_as_text(house, path):
    for text in HOSTILE:
        found = requests.get(f"{house[1]}{path}", params={"program": text[:2000], "search": text[:2000]}, timeout=15)

        assert found.status_code in (200, 404)
        assert "<script>alert" not in found.text or found.headers["content-type"].startswith("text/plain")
        assert "nosniff" == found.headers["x-content-type-options"]


def test_a_method_or_a_body_that_is_no_form_is_refused(house):
    url = f"{house[1]}/do/pause"

    assert 405 == requests.put(url, timeout=15).status_code
    assert 403 == requests.post(url, data=b"\xff\xfe" * 1000, headers=HERE, timeout=15).status_code
    assert 403 == requests.post(url, json={"group": "clickhouse_writer"}, headers=HERE, timeout=15).status_code
    assert 413 == requests.post(url, data="&".join("a=b" for _ in range(30_000)), headers=HERE, timeout=15).status_code
