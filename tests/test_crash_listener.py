"""Every crash is counted, also one between two looks, and one while Redis itself is what fell over."""

import asyncio
import io
import os
import signal
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from common import redis_streams
from common.settings import Settings
from launch.configuration import configuration
from launch.place import Place
from launch.programs import Program
from monitoring.crash_listener import listen
from monitoring.crashes import Crash, crashes_since, write_down
from monitoring.supervised import supervised
from tests.fleet_harness import ROOT, Fleet, wait_for
from tests.supervisor_kit import running, states

SLEEPER = ("-c", "__import__('time').sleep(600)")


def events(*told):
    """Events as Supervisor writes them."""
    words = [f"ver:3.0 eventname:{name} len:{len(payload)}\n{payload}" for name, payload in told]
    return io.StringIO("".join(words))


@pytest.mark.redis
@pytest.mark.parametrize(
    ("event", "crashed"),
    [
        (("PROCESS_STATE_EXITED", "processname:okx groupname:okx from_state:RUNNING expected:0 pid:7"), {"okx": 1}),
        (("PROCESS_STATE_EXITED", "processname:okx groupname:okx from_state:RUNNING expected:1 pid:7"), {}),
        (("PROCESS_STATE_BACKOFF", "processname:okx groupname:okx from_state:STARTING tries:1"), {"okx": 1}),
        (("TICK_5", "when:1795214075"), {}),
    ],
)
def test_only_an_end_that_was_not_asked_for_is_a_crash(redis_only, event, crashed):
    settings, answers = Settings(redis_port=redis_only.redis_port), io.StringIO()
    listen(settings, events(event), answers)

    assert "READY\nRESULT 2\nOKREADY\n" == answers.getvalue()
    assert crashed == asked(settings, lambda redis: crashes_since(redis, 0.0))


@pytest.mark.redis
def test_a_crash_that_is_told_twice_counts_once_and_one_of_yesterday_is_forgotten(redis_only):
    settings = Settings(redis_port=redis_only.redis_port)
    old, new = Crash("okx", 10**9), Crash("okx", 90_000 * 10**9)
    for crashes in ([old, new], [new]):
        asked(settings, lambda redis, told=crashes: write_down(redis, told, 90_001 * 10**9))

    assert {"okx": 1} == asked(settings, lambda redis: crashes_since(redis, 0.0))


@pytest.mark.redis
def test_two_crashes_at_once_are_counted_also_while_redis_is_away(tmp_path):
    with Fleet(tmp_path) as fleet:
        settings = Settings(redis_port=fleet.redis_port)
        with configured({"REDIS_PORT": str(fleet.redis_port), "PYTHONPATH": str(ROOT)}) as address:
            all_run = dict.fromkeys(("okx_ingester", "dashboard", "crash_listener"), "RUNNING")
            wait_for(lambda: states(address), expected=all_run, what="the programs run")
            first = supervised(address)["okx_ingester"].pid
            os.kill(first, signal.SIGKILL)
            wait_for(lambda: supervised(address)["okx_ingester"].pid not in (None, first), what="started again")
            os.kill(supervised(address)["okx_ingester"].pid, signal.SIGKILL)
            fleet.start_redis()
            counted = {"okx_ingester": 2}
            wait_for(lambda: asked(settings, lambda redis: crashes_since(redis, 0.0)), expected=counted, what="crashes")


@contextmanager
def configured(shared):
    """A Supervisor configured as start.sh does it, with an idle ingester and an idle dashboard."""
    with tempfile.TemporaryDirectory() as name:  # a socket's path must be short
        root = Path(name)
        place = Place(root)
        place.run.mkdir()
        programs = [Program("okx_ingester", "ingester", SLEEPER, 400), Program("dashboard", "dashboard", SLEEPER, 500)]
        place.programs.write_text(configuration(place, programs, shared, root))
        (root / "supervisord.conf").write_text((ROOT / "supervisord.conf").read_text())
        with running(root / "supervisord.conf"):
            yield f"unix://{place.socket}"


def asked(settings, question):
    async def ask():
        redis = redis_streams.connect(settings)
        try:
            return await question(redis)
        finally:
            await redis.aclose()

    return asyncio.run(ask())
