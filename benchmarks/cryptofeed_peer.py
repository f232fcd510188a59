"""A peer: cryptofeed's Redis stream back-end, in a virtual environment of its own, thrown away with the cache."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.house import ROOT, Broken, House
from benchmarks.measure import Figures

PINNED = "cryptofeed==2.4.1"
INSTALL_S, RUN_S = 240.0, 120.0


def throughput(events: int) -> Figures:
    """
    Return what cryptofeed's half of the path costs: message to Redis entry; it brings nothing into a database.

    Raises:
        Broken: the package cannot be had, or does not run here.
    """
    python = _installed()
    with House() as house:
        house.start_redis()
        before_s = house.cpu_s()["redis"]
        command = [str(python), "-m", "benchmarks.cryptofeed_child", str(house.redis_port), str(events)]
        done = _ran(command, RUN_S)
        redis_s = house.cpu_s()["redis"] - before_s
    told = json.loads(done.strip().splitlines()[-1])
    cpu_us = {"cryptofeed": told["cpu_s"] / events * 1e6, "redis": redis_s / events * 1e6}
    return Figures("cryptofeed to Redis only", events, told["wall_s"], cpu_us, "")


def book_messages(messages: Path) -> float:
    """
    Return how many of Binance's book messages in a file, a JSON line each, its books take in a second of CPU.

    Raises:
        Broken: the package cannot be had, or does not run here.
    """
    told = json.loads(_ran([str(_installed()), "-m", "benchmarks.cryptofeed_books", str(messages)], RUN_S))
    return float(told["messages"] / told["cpu_s"])


def _installed() -> Path:
    """Return the interpreter that has the package, installing it once."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tickfleet" / PINNED.replace("==", "-")
    python, done = cache / "bin" / "python", cache / "installed"
    if not done.exists():
        print(f"bench: installing {PINNED} into {cache}", file=sys.stderr)
        venv.create(cache, with_pip=True, clear=True)
        _ran([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", PINNED, "redis"], INSTALL_S)
        done.touch()
    return python


def _ran(command: list[str], give_up_s: float) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=give_up_s)
    except subprocess.CalledProcessError as error:
        raise Broken((error.stderr.strip().splitlines() or ["it ended without a word"])[-1]) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Broken(str(error)) from error
    return done.stdout
