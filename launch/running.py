"""What runs already, and what a killed Supervisor has left; quick to import, so that the answer is quick."""

from launch import leftovers
from launch.daemon import Daemon, uptime_s, wait_until
from launch.options import Options
from launch.place import Place, read_facts
from launch.report import CannotStart, say, span

STOPPING_S = 65.0


def supervisor_pid(place: Place) -> int | None:
    """Return the process id of our Supervisor, also of one that lives without answering; None if there is none."""
    return Daemon(place).pid() or _mute_pid(place)


def _mute_pid(place: Place) -> int | None:
    try:
        pid = int(place.pid_file.read_text(encoding="ascii"))
        words = leftovers.command_line(pid)
    except (OSError, ValueError):
        return None
    is_ours = "supervisor.supervisord" in words and str(place.root / "supervisord.conf") in words
    return pid if is_ours and leftovers.is_running(pid) else None


def tell_if_running(place: Place, options: Options) -> int | None:
    """
    Return an exit code if the fleet is running as asked, None if it is not running.

    Raises:
        CannotStart: it is running, but fed by something else than what was asked for.
    """
    daemon = Daemon(place)
    pid = daemon.pid()
    if pid is None:
        return None
    if daemon.is_stopping():
        say(" the fleet is stopping; waiting for its end")
        wait_until(lambda: not leftovers.is_running(pid), STOPPING_S, f"Supervisor (pid {pid}) does not end")
        return None
    facts = read_facts(place)
    asked = (options.feed, tuple(map(str, options.files)), options.speed)
    if facts is not None and options.feed != "live" and asked != (facts.feed, facts.files, facts.speed):
        raise CannotStart(f"already running (pid {pid}), fed {facts.feed}: ./stop.sh first")
    feed = f", {facts.feed}" if facts is not None and facts.feed != "live" else ""
    say(f" already running (pid {pid}, up {span(uptime_s(pid))}{feed})")
    down = [process.name for process in daemon.processes() if process.is_gone]
    if down:
        say(f" not running: {', '.join(down)}; supervisorctl start all")
    return 0


def end_leftovers(place: Place) -> None:
    """End what a killed Supervisor has left, and say so."""
    found = leftovers.find(place)
    if found:
        names = ", ".join(f"{leftover.name} (pid {leftover.pid})" for leftover in found)
        say(f" left over from a Supervisor that was killed: {names}; ending them")
        leftovers.end(found)
