"""What the doctor looks at on this machine."""

import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from common.settings import Settings
from monitoring.cli.findings import Finding, fine, judged

PINNED = Path(__file__).parents[2] / "requirements.txt"
OLDEST_PYTHON = (3, 11)
LITTLE_BYTES, FAIR_BYTES = 2**30, 10 * 2**30
OTHERS_MAY_READ = 0o077
ANSWER_S = 3.0


def of_machine(settings: Settings, env_file: Path, strangers: list[str]) -> Iterator[Finding]:
    """Yield what was found without asking Redis or ClickHouse."""
    yield of_python()
    yield of_packages(PINNED)
    yield of_env_file(env_file, strangers)
    yield of_disk(settings.data_dir)
    yield of_dashboard(settings)


def of_python() -> Finding:
    """Judge the interpreter."""
    found = ".".join(map(str, sys.version_info[:3]))
    old = "" if sys.version_info[:2] >= OLDEST_PYTHON else "install Python 3.11 or newer, remove .venv, ./start.sh"
    return judged("python", found, fault=old)


def of_packages(pinned: Path) -> Finding:
    """Judge whether what is installed is what is pinned."""
    wrong = []
    lines = pinned.read_text(encoding="utf-8").splitlines() if pinned.exists() else []
    pins = [line for line in lines if "==" in line and not line.startswith((" ", "#"))]
    wanted = [pin.removesuffix("\\").strip() for pin in pins if ";" not in pin]  # behind it: for other machines
    for name, _, expected in (pin.partition("==") for pin in wanted):
        try:
            found = version(name.partition("[")[0])
        except PackageNotFoundError:
            found = "nothing"
        if found != expected.strip():
            wrong.append(f"{name}: expected {expected.strip()}, found {found}")
    if not wrong:
        return fine("packages", f"{len(wanted)} as pinned")
    return judged("packages", "; ".join(wrong[:3]), warning="./stop.sh and ./start.sh install what is pinned")


def of_env_file(file: Path, strangers: list[str]) -> Finding:
    """Judge the file of settings."""
    if not file.exists():
        return fine("settings", "all sound; there is no .env")
    if strangers:
        fix = "see .env.example for the names that exist"
        return judged("settings", f"{', '.join(strangers)} in .env: no settings of ours", warning=fix)
    mode = file.stat().st_mode & 0o777
    open_to_all = (
        f"chmod 600 {file}" if mode & OTHERS_MAY_READ and "PASSWORD" in file.read_text(encoding="utf-8") else ""
    )
    return judged("settings", f"all sound; .env has mode {mode:o}", warning=open_to_all)


def of_disk(folder: Path) -> Finding:
    """Judge the room where the data lies, or will lie."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    fix = f"make room on the disk of {folder}, or set DATA_DIR to a larger one"
    found = f"{free / 2**30:,.1f} GiB free for {folder}"
    return judged("disk", found, fault=fix * (free < LITTLE_BYTES), warning=fix * (free < FAIR_BYTES))


def of_dashboard(settings: Settings) -> Finding:
    """Judge whether the dashboard answers on its port, and whether it is ours that does."""
    host, port = settings.dashboard_host, settings.dashboard_port
    address = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}/healthz"  # noqa: S104  compared
    try:
        with urllib.request.urlopen(address, timeout=ANSWER_S) as answer:
            ours = b"alive" in answer.read(200)
    except urllib.error.HTTPError as error:
        ours = error.code == 401  # noqa: PLR2004  it wants the password
    except OSError as error:
        fix = "supervisorctl status dashboard; supervisorctl tail dashboard; if nothing runs: ./start.sh"
        return judged("dashboard", f"port {port} does not answer: {getattr(error, 'reason', error)}", warning=fix)
    taken = "" if ours else f"something else listens on port {port}: set DASHBOARD_PORT to a free one"
    return judged("dashboard", f"port {port} answers", fault=taken)
