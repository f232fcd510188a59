"""`python -m launch up …` and `python -m launch down`: called by start.sh and stop.sh."""

import logging
import os
import signal
import sys

from common.errors import BadSettings
from launch.options import parse
from launch.place import Place
from launch.report import CannotStart, complain, say
from launch.running import end_leftovers, supervisor_pid, tell_if_running

MISCONFIGURED, INTERRUPTED = 78, 130


def main() -> int:
    """Return the exit code; 78 for settings that cannot work, with every problem named."""
    command, *arguments = sys.argv[1:]
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)  # it tells of every try that we expect to fail
    try:
        return _up(arguments) if command == "up" else _down()
    except BadSettings as error:
        complain([f"bad setting: {problem}" for problem in error.problems])
        return MISCONFIGURED
    except CannotStart as error:
        complain(error.troubles)
        return error.exit_code
    except KeyboardInterrupt:
        complain(["interrupted; ./stop.sh stops what is running"])
        return INTERRUPTED


def _up(arguments: list[str]) -> int:
    options = parse(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # half a start is taken back, whoever ends it
    place = Place()
    running = tell_if_running(place, options)
    if running is not None:
        return running
    from launch import passwords  # noqa: PLC0415  seconds of imports on a busy machine
    from launch.start import Start, settings_for  # noqa: PLC0415
    from launch.up import up  # noqa: PLC0415

    users = passwords.prepare(settings_for(options, dict(os.environ), place))
    environ = {**os.environ, **users.get(passwords.OPERATOR, {})}
    return up(Start(options, environ, place, settings_for(options, environ, place), users))


def _down() -> int:
    place = Place()
    pid = supervisor_pid(place)
    if pid is None:
        end_leftovers(place)
        say(" not running")
        return 0
    from launch.down import down  # noqa: PLC0415  as above

    return down(place, pid, dict(os.environ))


if __name__ == "__main__":
    sys.exit(main())
