"""Private servers and fleets on free loopback ports; missing ones are skipped aloud."""

import shutil

import pytest

from tests.fleet_harness import CAPTURES, Fleet


@pytest.fixture
def fleet(tmp_path):
    """A private Redis and ClickHouse with the schema; programs are started by the test."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with Fleet(tmp_path) as made:
        made.start_servers()
        yield made


@pytest.fixture
def redis_only(tmp_path):
    """A private Redis."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with Fleet(tmp_path) as made:
        made.start_redis()
        yield made


@pytest.fixture(scope="session")
def captures():
    """The folder of recorded sessions."""
    if not CAPTURES.is_dir():
        pytest.skip(f"recorded sessions are missing: {CAPTURES}")
    return CAPTURES
