"""A Supervisor of one's own, with the programs that a test wants of it."""

import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from monitoring.supervised import supervised

SOCKET = "supervisor.sock"
HEAD = """
[unix_http_server]
file={folder}/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisord]
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
childlogdir={folder}
"""
IDLE = f"""
[program:{{name}}]
command={sys.executable} -c "import time; time.sleep(600)"
startsecs=0
"""


@contextmanager
def supervisor(programs):
    """Run a Supervisor with these sections of configuration; `{folder}` in them is its own. Yields its address."""
    with tempfile.TemporaryDirectory() as name:  # a socket's path must be short
        folder = Path(name)
        file = folder / "supervisord.conf"
        file.write_text((HEAD + programs).replace("{folder}", name))
        with running(file):
            yield f"unix://{folder / SOCKET}"


@contextmanager
def running(file):
    """Run a Supervisor with a file of configuration; what it runs has ended afterwards."""
    command = [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(file)]
    daemon = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield daemon
    finally:
        daemon.terminate()
        daemon.wait(40)


def states(address):
    """Return the state of each program by name; none while the Supervisor does not answer."""
    try:
        return {one.name: one.state for one in supervised(address).values()}
    except OSError:
        return {}
