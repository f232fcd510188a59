"""What happens to programs is told as it happens: started, stopped by hand, ended and why."""

import os
import signal
import sys

import pytest

from monitoring.notices import Notice, beginning, changes, message_of, settled
from monitoring.supervised import supervised
from tests.fleet_harness import wait_for
from tests.snapshot_kit import process, seen
from tests.supervisor_kit import IDLE, states, supervisor

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


PROGRAMS = (
    IDLE.format(name="lives")
    + f"""
[program:falls]
command={sys.executable} -c "raise SystemExit(3)"
startretries=0
"""
)


def test_supervisor_tells_what_it_gave_up_and_what_was_killed():
    with supervisor(PROGRAMS) as address:
        wait_for(lambda: states(address), expected={"falls": "FATAL", "lives": "RUNNING"}, what="the programs")
        before = supervised(address)
        os.kill(before["lives"].pid, signal.SIGKILL)
        wait_for(lambda: supervised(address)["lives"].pid not in (None, before["lives"].pid), what="another process")
        wait_for(lambda: states(address)["lives"], expected="RUNNING", what="started again")
        after = supervised(address)

    assert (None, "Exited too quickly (process log may have details)") == (
        before["falls"].exit_status,
        before["falls"].why,
    )
    assert {"ended", "started"} == {notice.state for notice in changes(before, after)}
