"""Private servers and fleets on free loopback ports; missing ones are skipped aloud."""

import shutil
from functools import partial

import pytest

from tests.fleet_harness import CAPTURES, Fleet
from tests.shared_servers import Servers


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """A Redis and a ClickHouse that the tests of a module use one after the other."""
    made = Servers(partial(tmp_path_factory.mktemp, "fleet"))
    yield made
    made.close()


@pytest.fixture
def fleet(servers):
    """A private Redis and ClickHouse with the schema and nothing else; programs are started by the test."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    yield servers.lend()
    servers.take_back()


@pytest.fixture
def bare(tmp_path):
    """A fleet of which nothing runs yet."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with Fleet(tmp_path) as made:
        yield made


@pytest.fixture
def redis_only(bare):
    """A private Redis."""
    bare.start_redis()
    return bare


@pytest.fixture(scope="session")
def captures():
    """The folder of recorded sessions."""
    if not CAPTURES.is_dir():
        pytest.skip(f"recorded sessions are missing: {CAPTURES}")
    return CAPTURES
