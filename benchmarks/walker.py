"""A newcomer to walk with: a clone of this tree on free ports, and a browser that looks at it."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from benchmarks.house import Broken, free_port, wait_for
from common.settings import Settings

PATIENCE_S, PATIENCE_MS = 300.0, 60_000
LATELY = "SELECT count() FROM trades WHERE symbol = '{symbol}' AND event_time > now64(9) - INTERVAL 3 SECOND"


class Walk:
    """A clone of this tree in a folder of its own, on free ports, and a browser that looks at it."""

    def __init__(self, folder: Path, page: Page) -> None:
        self.root = folder / "tickfleet"
        self.page = page
        self.ports = {f"{name}_PORT": free_port() for name in ("REDIS", "CLICKHOUSE", "DASHBOARD")}
        self.environment = {name: value for name, value in os.environ.items() if not _is_ours(name)}
        self.environment |= {name: str(port) for name, port in self.ports.items()}

    def run(self, *words: str, expected: int = 0, folder: Path | None = None) -> str:
        """Return what a command says; raise Broken when it ends otherwise than it should."""
        done = subprocess.run(
            words,
            cwd=folder or self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        if done.returncode != expected:
            raise Broken(f"{' '.join(words)}: expected exit code {expected}, found {done.returncode}\n{done.stdout}")
        return done.stdout.strip()

    def open(self, path: str) -> Page:
        """Go to a page of the dashboard."""
        self.page.goto(f"http://127.0.0.1:{self.ports['DASHBOARD_PORT']}{path}")
        return self.page

    def supervise(self, *words: str) -> str:
        """Run supervisorctl, as it is installed in the clone."""
        return self.run(".venv/bin/supervisorctl", *words)

    def wait_recorded(self, symbol: str, *, is_so: bool) -> None:
        """Return once trades of the last seconds are stored, or are none any more."""
        words = ("./fleet", "sql", LATELY.format(symbol=symbol), "--format", "csv")
        wait_for(lambda: (self.run(*words).splitlines()[-1] != "0") is is_so, f"{symbol} recorded: {is_so}")

    def open_ports(self) -> list[int]:
        """Return those of our ports on which somebody listens."""
        return [port for port in self.ports.values() if _is_open(port)]


def _is_ours(name: str) -> bool:
    """Return whether a newcomer's environment would not have it: our settings, and how this Python is run."""
    return name.lower() in Settings.model_fields or name.startswith("PYTHON")


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def walking() -> Iterator[Walk]:
    """Yield a walk; afterwards nothing of it runs, and nothing of it is left."""
    folder = Path(tempfile.mkdtemp(prefix="tickfleet-walk-"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        # Our policy allows no eval, which is how the browser is asked to wait for its title.
        page = browser.new_page(viewport={"width": 1280, "height": 900}, bypass_csp=True)
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        walk = Walk(folder, page)
        try:
            yield walk
        finally:
            if (walk.root / "stop.sh").exists():
                subprocess.run(["./stop.sh"], cwd=walk.root, capture_output=True, check=False, timeout=PATIENCE_S)
            browser.close()
            shutil.rmtree(folder, ignore_errors=True)
