"""Programs started and stopped through a real Supervisor, as the pages and `supervisorctl` do."""

import json
import shutil
import subprocess
import sys

import pytest
import requests

from monitoring.doing.deeds import NotDone
from monitoring.doing.programs import ordering, tail
from monitoring.supervised import supervised
from tests.deed_kit import done
from tests.fleet_harness import ROOT
from tests.monitoring_fixtures import dashboard, until
from tests.supervisor_kit import IDLE, states, supervisor

pytestmark = pytest.mark.redis

PROGRAMS = (
    IDLE.format(name="redis")
    + IDLE.format(name="dashboard")
    + f"""
[program:okx_ingester]
command={sys.executable} -uc "print('<b>hello</b>'); import time; time.sleep(600)"
startsecs=0
redirect_stderr=true
stdout_logfile={{folder}}/okx_ingester.log
"""
)
ALL_RUN = dict.fromkeys(("redis", "dashboard", "okx_ingester"), "RUNNING")


@pytest.fixture(scope="module")
def address():
    """A Supervisor with three idle programs."""
    with supervisor(PROGRAMS) as address:
        until(lambda: states(address) == ALL_RUN, "the programs run")
        yield address


def at_prompt(fleet, address, *words):
    command = [sys.executable, "-m", "monitoring.cli", *words, "--json"]
    environment = {**fleet.environment, "SUPERVISOR_SERVER_URL": address}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return ended.returncode, json.loads(ended.stdout or "{}"), ended.stderr


def test_a_program_is_started_again_at_a_prompt_and_it_is_written_down_who_did_it(redis_only, address):
    first = supervised(address)["dashboard"].pid
    code, told, _ = at_prompt(redis_only, address, "restart", "dashboard")
    (written,) = redis_only.redis.xrange("stream:actions")

    assert (0, True) == (code, told["done"])
    assert first != supervised(address)["dashboard"].pid
    assert '"action":"restart"' in written[1]["data"]


def test_a_server_is_not_stopped_at_a_prompt_by_a_slip(redis_only, address):
    code, told, _ = at_prompt(redis_only, address, "stop", "redis")
    wrong, _, said = at_prompt(redis_only, address, "stop", "nosuch")
    away, _, complaint = at_prompt(redis_only, "unix:///tmp/nobody-listens.sock", "stop", "redis")

    assert (1, True, "RUNNING") == (code, "--yes does it" in told["refused"], states(address)["redis"])
    assert (1, True) == (wrong, "Supervisor runs no nosuch" in said)
    assert (4, True) == (away, complaint.startswith("fleet: supervisor does not answer"))


def order(fleet, address, what, program):
    return done(fleet, lambda _: ordering(address, what, program))


def test_a_program_stops_starts_and_starts_again(redis_only, address):
    first = supervised(address)["okx_ingester"].pid

    assert "stopped" == order(redis_only, address, "stop", "okx_ingester")
    assert order(redis_only, address, "start", "okx_ingester").startswith("running, pid ")
    second = supervised(address)["okx_ingester"].pid
    order(redis_only, address, "restart", "okx_ingester")
    assert 3 == len({first, second, supervised(address)["okx_ingester"].pid})
    deeds = [entry["data"] for _, entry in redis_only.redis.xrange("stream:actions")]
    assert ["stop", "start", "restart"] == [deed.partition('"action":"')[2].partition('"')[0] for deed in deeds]


@pytest.mark.parametrize(
    ("what", "program", "words"),
    [
        ("start", "okx_ingester", "already"),
        ("stop", "dashboard", "end this page"),
        ("restart", "nobody", "Supervisor runs no nobody"),
        ("stop", "<script>", "Supervisor runs no <script>"),
    ],
)
def test_what_cannot_be_ordered_says_why(redis_only, address, what, program, words):
    with pytest.raises(NotDone, match=words):
        order(redis_only, address, what, program)


def test_the_end_of_a_log_is_shown_as_text(redis_only, address, tmp_path):
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    until(lambda: "<b>hello</b>" in tail(address, "okx_ingester"), "it has said something")
    with dashboard(tmp_path, redis_only.redis_port, SUPERVISOR_SERVER_URL=address) as url:
        page = requests.get(f"{url}/system/log?program=okx_ingester", timeout=10).text
        stop = requests.get(f"{url}/do/stop?program=redis", timeout=10).text
        nobody = requests.get(f"{url}/system/log?program=%3Cscript%3E", timeout=10)

    assert "&lt;b&gt;hello&lt;/b&gt;" in page
    assert "supervisorctl stop redis" in stop
    assert 'name="typed"' in stop
    assert "<script>" not in nobody.text


def test_a_dashboard_without_a_supervisor_says_so(redis_only, tmp_path):
    with dashboard(tmp_path, redis_only.redis_port) as url:
        page = requests.get(f"{url}/do/stop?program=okx_ingester", timeout=10)

    assert 503 == page.status_code
    assert "was not started by Supervisor" in page.text
