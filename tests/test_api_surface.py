"""Whatever the description of the API allows is answered, and never by a fault of ours."""

import shutil

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from tests.fleet_harness import Fleet
from tests.hostile_kit import open_dashboard

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]
EXAMPLES = 15


@pytest.fixture(scope="module")
def surface(tmp_path_factory):
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with Fleet(tmp_path_factory.mktemp("surface")) as made:
        url = open_dashboard(made)
        yield schemathesis.openapi.from_url(f"{url}/openapi.json")


def test_no_call_that_is_allowed_ends_in_a_server_error(surface):
    seen = []
    for result in surface.get_all_operations():
        operation = result.ok()
        seen.append(operation.label)
        ask_at_random(operation)

    assert len(seen) > 20


def ask_at_random(operation):
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def ask(case):
        answer = case.call(timeout=30)
        is_told = operation.path == "/readyz" and answer.status_code == 503  # it is not ready, and says so
        assert answer.status_code < 500 or is_told, (case.as_curl_command(), answer.text[:500])

    ask()
