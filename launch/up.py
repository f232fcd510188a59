"""start.sh, from checked settings to a fleet that is ready; quick to import, so that the servers start at once."""

from common.settings import Settings
from launch import feeds, leftovers
from launch.base import check_own, check_ports, start_base
from launch.daemon import wait_until
from launch.report import CannotStart
from launch.running import STOPPING_S, end_leftovers
from launch.start import Start


def up(start: Start) -> int:
    """
    Start the fleet; return the exit code.

    Raises:
        CannotStart: nothing of ours is left running.
    """
    feeds.check_files(start.options)
    start.place.prepare()
    end_leftovers(start.place)
    check_ports(start.settings)
    _make_folders(start.settings)
    check_own(start.settings)
    try:
        base = start_base(start)
        from launch.bring import bring  # noqa: PLC0415  a second of imports, while the servers start

        programs, before = bring(start, base)
    except BaseException:  # also Ctrl-C: half a fleet helps nobody, whatever the reason
        _clear(start)
        raise
    from launch.bring_programs import bring_programs  # noqa: PLC0415  as above

    return bring_programs(start, base, programs, before)


def _make_folders(settings: Settings) -> None:
    for folder in (settings.data_dir / "run", settings.log_dir):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise CannotStart(f"{folder} cannot be made ({error.strerror}): set DATA_DIR or LOG_DIR") from error


def _clear(start: Start) -> None:
    pid = start.daemon.pid()
    if pid is not None:
        start.daemon.shut_down()
        wait_until(lambda: not leftovers.is_running(pid), STOPPING_S, f"Supervisor (pid {pid}) does not end")
    leftovers.end(leftovers.find(start.place))
