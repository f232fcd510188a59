"""`python -m benchmarks.pages`: how fast the pages of a crowded fleet paint, and what five open browsers cost."""

import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import requests
from playwright.sync_api import Browser, ViewportSize, sync_playwright

from benchmarks.house import Broken, House, cpu_of, free_port, wait_for
from benchmarks.page_load import ENTRIES, PENDING, SYMBOLS, Rush, fill

PAGES = (
    "/healthz",  # a line of text: what the browser itself needs on this machine, and now
    "/", "/streams", "/streams/trades", "/streams/trades?where=symbol=S00042", "/groups", "/instruments",
    "/instruments?q=s0042", "/i/binance/S00042", "/quality", "/dead-letters", "/venues", "/alerts", "/system",
)  # fmt: skip
WATCHED = ("/", "/streams/trades", "/groups", "/instruments", "/i/binance/S00042")
LOADS, MEASURE_S = 5, 15.0
SIZE: ViewportSize = {"width": 1280, "height": 900}
PAINT_BAR_MS, CPU_BAR_PCT = 300.0, 5.0
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
ANSWERED = "performance.getEntriesByType('navigation')[0].responseStart"


@dataclass(frozen=True)
class Paint:
    """
    Medians over some loads, and the slowest paint.

    `server_ms` is the CPU time that the dashboard spends on a load, `browser_ms` that of the page's own thread in the
    browser: those are the same on a busy machine, where times are not.
    """

    page: str
    answer_ms: float
    paint_ms: float
    slowest_ms: float
    server_ms: float
    browser_ms: float


@dataclass(frozen=True)
class Found:
    """What was measured; CPU is of the dashboard's process, in percent of one core."""

    paints: tuple[Paint, ...]
    idle_pct: float
    watched_pct: float
    browsers: int
    load: float


def measure() -> Found:
    """Return the figures of a private fleet."""
    with House() as house:
        house.start_servers()
        fill(house)
        port = free_port()
        house.start("dashboard", "monitoring", DASHBOARD_PORT=str(port))
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: bool(requests.get(f"{url}/api/v1/overview", timeout=10).json()["number"]), "the dashboard")
        with Rush(house), sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
            )
            time.sleep(5)  # until rates are known and the first readings are over
            idle_pct = _spent_pct(house)
            paints = tuple(_paint(house, browser, url, page) for page in PAGES)
            watched_pct = _watched_pct(house, browser, url)
            browser.close()
    return Found(paints, idle_pct, watched_pct, len(WATCHED), os.getloadavg()[0])


def _paint(house: House, browser: Browser, url: str, page: str) -> Paint:
    answers, paints, turns = [], [], []
    before_s = house.cpu_s()["dashboard"]
    for _ in range(LOADS):
        # Our policy allows no eval, which is how the browser is asked to wait for its paint.
        context = browser.new_context(viewport=SIZE, bypass_csp=True)
        tab = context.new_page()
        figures = context.new_cdp_session(tab)
        figures.send("Performance.enable", {"timeDomain": "threadTicks"})
        tab.goto(url + page, wait_until="domcontentloaded")
        tab.wait_for_function(f"({PAINTED}) !== null")
        answers.append(float(tab.evaluate(ANSWERED)))
        paints.append(float(tab.evaluate(PAINTED)))
        held = {one["name"]: one["value"] for one in figures.send("Performance.getMetrics")["metrics"]}
        turns.append(1000 * float(held["TaskDuration"]))
        context.close()
    server_ms = 1000 * (house.cpu_s()["dashboard"] - before_s) / LOADS
    answer_ms, paint_ms, browser_ms = (statistics.median(times) for times in (answers, paints, turns))
    return Paint(page, answer_ms, paint_ms, max(paints), server_ms, browser_ms)


def _watched_pct(house: House, browser: Browser, url: str) -> float:
    contexts = [browser.new_context(viewport=SIZE, bypass_csp=True) for _ in WATCHED]
    for context, page in zip(contexts, WATCHED, strict=True):
        context.new_page().goto(url + page, wait_until="domcontentloaded")
    time.sleep(3)
    spent = _spent_pct(house)
    for context in contexts:
        context.close()
    return spent


def _spent_pct(house: House) -> float:
    pid = house.processes["dashboard"].pid
    before_s, begun_s = cpu_of(pid), time.monotonic()
    time.sleep(MEASURE_S)
    return 100 * (cpu_of(pid) - before_s) / (time.monotonic() - begun_s)


def show(found: Found) -> None:
    """Print what was found beside the bars."""
    print(f"{SYMBOLS:,} symbols, {ENTRIES:,} entries, {PENDING:,} pending; load {found.load:.1f}")
    for row in found.paints:
        sign = "ok" if row.paint_ms <= PAINT_BAR_MS else "SLOW"
        times = f"answer {row.answer_ms:6.0f} ms   paint {row.paint_ms:6.0f} ms (max {row.slowest_ms:.0f})"
        print(f"{row.page:42} {times}   CPU {row.server_ms:3.0f} + {row.browser_ms:3.0f} ms  {sign}")
    cost = found.watched_pct - found.idle_pct
    print(f"dashboard alone {found.idle_pct:.1f} % of a core, with {found.browsers} browsers {found.watched_pct:.1f} %")
    print(f"updates cost {cost:.1f} % of a core (bar {CPU_BAR_PCT:.0f} %)")


def main(words: Sequence[str]) -> int:
    """Return 0 when it could be measured."""
    try:
        found = measure()
    except Broken as error:
        print(f"pages: {error}", file=sys.stderr)
        return 1
    if "--json" in words:
        print(json.dumps(asdict(found), indent=2))
    else:
        show(found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
