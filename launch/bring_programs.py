"""Start the programs, wait until they are ready, and tell what came up."""

from collections.abc import Mapping, Sequence

from common.readings import off_words
from launch import readiness
from launch.first_rows import FirstRows
from launch.programs import Program
from launch.readiness import Readiness
from launch.report import DEGRADED, say, tell
from launch.start import Start
from processors.registry import WRITER

WAITING_LINES = 4  # the dashboard and the log have the rest
RECORDING_S = 8.0  # what records has so long for itself before the rest is started


def bring_programs(
    start: Start, base: Sequence[Program], programs: Sequence[Program], before: Mapping[str, int]
) -> int:
    """
    Start the programs and wait until they are ready; what does not come up is told, and the rest goes on.

    What records comes first: a venue does not wait, and a start of everything at once keeps the processors busy.
    """
    wanted = [program for program in programs if program.is_wanted]
    disabled = [program for program in programs if not program.is_wanted]
    rows = FirstRows(start.settings, before)
    groups = start.daemon.read_configuration()
    records = [program for program in wanted if program.kind == "ingester" or program.name == WRITER]
    names = {program.name for program in records}
    try:
        start.daemon.add(group for group in groups if group in names)
        readiness.wait_for(records, start.daemon, start.settings, patience_s=RECORDING_S, meanwhile=rows.look)
    finally:  # also after Ctrl-C
        start.daemon.add(group for group in groups if group not in names)
    found = readiness.wait_for(wanted, start.daemon, start.settings, meanwhile=rows.look)
    failed = [one for one in found if one.is_failed]
    up_count = len(base) + len(found) - len(failed)
    start.steps.done(6, f"programs   {up_count} running, {len(disabled)} disabled, {len(failed)} failed")
    _tell_programs(start, found, disabled)
    _tell_addresses(start)
    if any(one.process.endswith("_ingester") and one.state == "running" for one in found):
        rows.tell()
    if start.place.socket.parent != start.place.run:
        say(f" This path is too long for a socket: supervisorctl -s unix://{start.place.socket} status")
    say(" Next       ./fleet status   |   ./fleet tail stream:trades   |   ./stop.sh")
    return DEGRADED if failed else 0


def _tell_programs(start: Start, found: Sequence[Readiness], disabled: Sequence[Program]) -> None:
    for program in disabled:
        tell(f"   disabled  {program.name:<24} ", program.why_not or off_words(program.name))
    for one in found:
        if one.state == "waiting":
            tell(f"   waiting   {one.process:<24} ", one.detail, WAITING_LINES)
        elif one.is_failed:
            log = start.place.shown(start.settings.log_dir / f"{one.process}.log")
            tell(f"   failed    {one.process:<24} ", f"{one.detail}; see {log}")
        elif not one.is_settled:
            tell(f"   starting  {one.process:<24} ", one.detail or "has not said that it is ready")
    if start.options.feed == "live" and any(
        one.process.endswith("_ingester") and one.state == "waiting" for one in found
    ):
        say("   no way to a venue? offline, try: ./stop.sh && ./start.sh --demo")


def _tell_addresses(start: Start) -> None:
    host = start.settings.dashboard_host
    address = f"http://{f'[{host}]' if ':' in host else host}:{start.settings.dashboard_port}"
    say()
    say(f" Dashboard  {address}        API docs  {address}/docs")
    say(f" Data       {start.settings.data_dir}")
    say(f" Logs       {start.settings.log_dir}")
