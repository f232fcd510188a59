"""Programs to Supervisor's words. The part that never changes is `supervisord.conf` in the root."""

import os
import resource
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from launch.place import MARK, Place
from launch.programs import LISTENING, Program
from launch.report import CannotStart

STOP_WAIT_S = 30  # above the longest flush
NEVER = '";#\n'  # no way to write them; % neither in a log's path, which is expanded twice
OPEN_FILES = 65_536  # wanted; what the machine allows at most is taken

# Servers are restarted with growing pauses for minutes (a kill may come twice in a second). Programs pause by
# themselves and leave only for a reason: one which falls over at once, three times, is left for a person to see.
RETRIES = {True: 20, False: 3}
LISTENER_NAME = "crash_listener"

PROGRAM = """
[program:{name}]
command={command}
process_name={process_name}
numprocs={processes}
directory={root}
environment={environment}
priority={priority}
autostart={autostart}
autorestart=unexpected
exitcodes=0,2
startsecs=1
startretries={retries}
stopsignal=TERM
stopwaitsecs={stop_wait_s}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=5
"""

# Its output is how it talks to Supervisor; what it does not take at once waits in Supervisor's buffer.
LISTENER = """
[eventlistener:{name}]
command={command}
events=PROCESS_STATE_EXITED,PROCESS_STATE_BACKOFF,TICK_5
buffer_size=1000
directory={root}
environment={environment}
priority={priority}
autorestart=true
startsecs=1
startretries={retries}
stopsignal=TERM
stopasgroup=true
killasgroup=true
stdout_logfile=NONE
stderr_logfile={log}
stderr_logfile_maxbytes=10MB
stderr_logfile_backups=1
"""

HEAD = """; Written by start.sh at every start.
[unix_http_server]
file={socket}

[supervisord]
logfile={log}
minfds={open_files}
{user}"""


def configuration(place: Place, programs: Sequence[Program], shared: Mapping[str, str], log_dir: Path) -> str:
    """Return what `supervisord.conf` includes: the programs that are to run, and where this fleet keeps its things."""
    head = HEAD.format(
        socket=_literal(place.socket),
        log=_literal(log_dir / "supervisord.log"),
        open_files=min(OPEN_FILES, _hard_limit()),
        user="user=root\n" if os.geteuid() == 0 else "",  # otherwise it warns that nobody chose to run as root
    )
    marked = {**shared, MARK: str(place.run)}  # in each program's section: a common one would be expanded twice
    sections = [_section(place, program, marked, log_dir) for program in programs if program.why_not is None]
    sections += [_listener(place, program, marked, log_dir) for program in programs if program.kind == "dashboard"]
    return head + "".join(sections)


def _section(place: Place, program: Program, shared: Mapping[str, str], log_dir: Path) -> str:
    several = program.processes > 1
    process_name = "%(program_name)s_%(process_num)02d" if several else "%(program_name)s"
    words = [shlex.quote(_literal(word)) for word in (sys.executable, *program.arguments)]
    if several:
        words.append(process_name)
    return PROGRAM.format(
        name=program.name,
        command=" ".join(words),
        process_name=process_name,
        processes=program.processes,
        root=_literal(place.root),
        environment=_environment({**shared, **program.environment}),
        priority=program.priority,
        autostart="false" if program.is_off else "true",
        retries=RETRIES[program.is_server],
        stop_wait_s=STOP_WAIT_S,
        log=f"{_spoken(log_dir, NEVER + '%')}/{program.name}{'_%(process_num)02d' if several else ''}.log",
    )


def _listener(place: Place, dashboard: Program, shared: Mapping[str, str], log_dir: Path) -> str:
    """Return what tells the dashboard of crashes; it is let into Redis as the dashboard is."""
    let_in = {name: value for name, value in dashboard.environment.items() if name.startswith("REDIS_")}
    return LISTENER.format(
        name=LISTENER_NAME,
        command=f"{shlex.quote(_literal(sys.executable))} -m monitoring.{LISTENER_NAME}",
        root=_literal(place.root),
        environment=_environment({**shared, **let_in}),
        priority=LISTENING,
        retries=RETRIES[True],
        log=f"{_spoken(log_dir, NEVER + '%')}/{LISTENER_NAME}.log",
    )


def _hard_limit() -> int:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return OPEN_FILES if hard == resource.RLIM_INFINITY else hard


def _environment(values: Mapping[str, str]) -> str:
    """Return KEY="value" pairs as Supervisor's lexer reads them back."""
    return ",".join(f'{name}="{_literal(value)}"' for name, value in values.items())


def _literal(value: str | Path) -> str:
    """Return text that Supervisor reads back as it is; it knows no escape for a quote or a comment sign."""
    return _spoken(value, NEVER).replace("%", "%%")


def _spoken(value: str | Path, never: str) -> str:
    text = str(value)
    if wrong := sorted(set(text) & set(never)):
        raise CannotStart(f"Supervisor cannot be told {text!r}: choose one without {' '.join(wrong)}")
    return text
