"""What happens to programs is told as it happens: started, stopped by hand, ended and why."""

import os
import signal
import subprocess
import sys
import time

import pytest

from monitoring.notices import Notice, beginning, changes, message_of, settled
from monitoring.supervised import supervised
from tests.snapshot_kit import process, seen

NAME = "okx_ingester"


def looked(state, pid=None, exit_status=None):
    return {NAME: seen(state, pid=pid, exit_status=exit_status, why="too quickly" if state == "FATAL" else "")}


@pytest.mark.parametrize(
    ("looks", "told"),
    [
        ((looked("RUNNING", 1), looked("RUNNING", 1)), []),
        ((looked("STOPPED"), looked("STARTING", 2), looked("RUNNING", 2)), [Notice(NAME, "started")]),
        ((looked("RUNNING", 1), looked("STOPPING", 1), looked("STOPPED")), [Notice(NAME, "stopped")]),
        ((looked("RUNNING", 1), looked("EXITED", None, 2)), [Notice(NAME, "ended", "exit code 2")]),
        (
            (looked("RUNNING", 1), looked("BACKOFF", None, 1), looked("FATAL", None, 1)),
            [Notice(NAME, "ended", "exit code 1")],
        ),
        (
            (looked("RUNNING", 1), looked("RUNNING", 2)),
            [Notice(NAME, "ended", "it was started again at once"), Notice(NAME, "started")],
        ),
        ((looked("FATAL"), looked("FATAL")), []),
        (({}, looked("STOPPED")), []),
    ],
)
def test_what_happened_between_two_looks_is_told_once(looks, told):
    before, found = looks[0], []
    for now in looks[1:]:
        found += changes(before, now)
        before = settled(before, now)

    assert told == found


def test_the_end_of_a_process_is_told_with_its_reason_and_what_it_had_done():
    known = {NAME: process(NAME, last_error="WireLost: mute", **{"records_total|trades": 1200})}
    message = message_of([Notice(NAME, "ended", "exit code 1")], known)

    assert "okx_ingester ended" == message.title
    assert "okx_ingester: exit code 1; last error: WireLost: mute; 1,200 records since it began" == message.words


def test_the_beginning_names_what_does_not_run():
    both = {**looked("RUNNING", 1), "redis": seen("FATAL", name="redis")}

    assert "1 of 2 processes run; redis FATAL" == beginning(both).words


CONFIGURATION = """
[unix_http_server]
file={folder}/s.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisord]
pidfile={folder}/supervisord.pid
logfile={folder}/supervisord.log
childlogdir={folder}
user=root
[program:lives]
command={python} -c "import time; time.sleep(600)"
startsecs=0
[program:falls]
command={python} -c "raise SystemExit(3)"
startretries=0
autostart=true
"""


@pytest.fixture
def supervisor(tmp_path):
    file = tmp_path / "supervisord.conf"
    text = CONFIGURATION.format(folder=tmp_path, python=sys.executable)
    file.write_text(text if os.geteuid() == 0 else text.replace("user=root\n", ""))
    command = [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(file)]
    daemon = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield f"unix://{tmp_path}/s.sock"
    daemon.terminate()
    daemon.wait(20)


def until(is_so, give_up_s=30.0):
    deadline_s = time.monotonic() + give_up_s
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def looks_of(address):
    try:
        return supervised(address)
    except OSError:
        return {}


def test_supervisor_tells_what_it_gave_up_and_what_was_killed(supervisor):
    def state(name):
        found = looks_of(supervisor)
        return found[name].state if name in found else None

    until(lambda: state("falls") == "FATAL" and state("lives") == "RUNNING")
    before = looks_of(supervisor)
    os.kill(before["lives"].pid, signal.SIGKILL)
    until(lambda: looks_of(supervisor)["lives"].pid not in (None, before["lives"].pid))
    until(lambda: state("lives") == "RUNNING")

    assert (None, "Exited too quickly (process log may have details)") == (
        before["falls"].exit_status,
        before["falls"].why,
    )
    assert {"ended", "started"} == {notice.state for notice in changes(before, looks_of(supervisor))}
