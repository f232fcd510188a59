"""`python -m benchmarks.walk`: a newcomer's first minutes, from the clone to the stop, step by step with seconds."""

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from playwright.sync_api import Error, Locator, expect

from benchmarks.house import ROOT, Broken
from benchmarks.walker import Walk, walking

WIDTH = 80  # columns
COMPILING_MS = 240_000  # the first start of all compiles what keeps the books


def _clone(walk: Walk) -> str:
    walk.run("git", "clone", "--quiet", str(ROOT), str(walk.root), folder=walk.root.parent)
    return "no packages yet, no data"


def _start(walk: Walk) -> str:
    said = walk.run("./start.sh", "--demo")
    wide = [line for line in said.splitlines() if len(line) > WIDTH and str(walk.root) not in line]
    if wide:
        raise Broken(f"wider than a terminal: {wide[0]}")
    return _found(r"First rows +(after [\d.]+ s)", said, "first rows")


def _overview(walk: Walk) -> str:
    page = walk.open("/")
    expect(page.locator("#link")).to_have_text("live")
    _changes(page.locator("#row-table-trades td[data-label='rows']"))
    return f"{page.locator('#status .level').inner_text()}; rows count up"


def _instrument(walk: Walk) -> str:
    page = walk.page
    page.get_by_role("link", name="Open an instrument").click()
    page.locator("#found").get_by_role("link", name="BTCUSDT", exact=True).click()
    expect(page.locator("#candles canvas").first).to_be_visible()
    _changes(page.locator("#ladder .ladder"))
    _changes(page.locator("#tape li").first)
    expect(page.locator("#head h2")).to_contain_text("in sync", timeout=COMPILING_MS)
    return page.locator("#head h2").inner_text()


def _ask(walk: Walk) -> str:
    return " ".join(walk.run("./fleet", "sql", "SELECT count() AS trades, max(event_time) FROM trades").split()[2:])


def _curl(walk: Walk) -> str:
    url = f"http://127.0.0.1:{walk.ports['CLICKHOUSE_PORT']}/?database=tickfleet"
    return f"{int(walk.run('curl', '-s', url, '--data-binary', 'select count() from trades')):,} trades"


def _redis(walk: Walk) -> str:
    port = walk.environment["REDIS_PORT"]
    return f"{int(walk.run('redis-cli', '-p', port, 'XLEN', 'stream:order_events')):,} entries"


def _export(walk: Walk) -> str:
    words = ("trades", "--symbol", "BTCUSDT", "--since", "10m", "--to", "btc.parquet")
    said = walk.run("./tickfleet/fleet", "export", *words, folder=walk.root.parent)
    if not (walk.root.parent / "btc.parquet").is_file():
        raise Broken("btc.parquet does not lie where it was asked for")
    return said


def _stop_the_writer(walk: Walk) -> str:
    walk.open("/")
    walk.supervise("stop", "clickhouse_writer")
    expect(walk.page.locator("#group-clickhouse_writer.down")).to_be_visible()
    return walk.page.locator("#status .level").inner_text()


def _wait_for_the_alert(walk: Walk) -> str:
    walk.page.wait_for_function("document.title.includes('(')")
    return walk.open("/alerts").locator("#firing tbody tr").first.inner_text().replace("\n", " ").replace("\t", " ")


def _start_the_writer(walk: Walk) -> str:
    walk.open("/")
    walk.supervise("start", "clickhouse_writer")
    expect(walk.page.locator("#group-clickhouse_writer.well")).to_be_visible()
    return walk.page.locator("#group-clickhouse_writer .about").inner_text()


def _quality(walk: Walk) -> str:
    expect(walk.open("/quality").locator("#reckoning h2")).to_contain_text("none missing, none too many")
    walk.run("./fleet", "quality", "--prove")
    return f"{walk.page.locator('#reckoning h2').inner_text()}; --prove agrees"


def _add_in_the_page(walk: Walk) -> str:
    walk.run("./fleet", "symbols", "binance", "--remove", "SOLUSDT")
    walk.wait_recorded("SOLUSDT", is_so=False)
    page = walk.open("/venues")
    page.locator("#program-binance_ingester").get_by_role("link", name="Symbols").click()
    page.get_by_label("Symbol or name").fill("SOL")
    page.get_by_role("button", name="Search").click()
    page.get_by_label("SOLUSDT").first.check()
    page.get_by_role("button", name="Record these…", exact=True).click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main")).to_contain_text("done")
    walk.wait_recorded("SOLUSDT", is_so=True)
    return "SOLUSDT is recorded"


def _add_at_the_prompt(walk: Walk) -> str:
    walk.run("./fleet", "symbols", "okx", "--remove", "SOL-USDT")
    walk.wait_recorded("SOL-USDT", is_so=False)
    walk.run("./fleet", "symbols", "okx", "--add", "SOL-USDT")
    walk.wait_recorded("SOL-USDT", is_so=True)
    return "SOL-USDT is recorded"


def _start_again(walk: Walk) -> str:
    return _found(r"(already running .*)", walk.run("./start.sh"), "already running")


def _stop(walk: Walk) -> str:
    said = walk.run("./stop.sh")
    if walk.open_ports() or "drained" not in said:
        raise Broken(f"expected a drained fleet and no open port, found {walk.open_ports()} and:\n{said}")
    return _found(r"(nothing is left running)", said, "an end")


def _start_on_a_taken_port(walk: Walk) -> str:
    with socket.create_server(("127.0.0.1", walk.ports["REDIS_PORT"])):
        return walk.run("./start.sh", "--demo", expected=1).splitlines()[-1].strip()


class Step(NamedTuple):
    """What a newcomer does, and how."""

    words: str
    act: Callable[[Walk], str]


STEPS = (
    Step("git clone", _clone),
    Step("./start.sh --demo, packages and all", _start),
    Step("the overview moves", _overview),
    Step("an instrument: book, candles and tape move", _instrument),
    Step("./fleet sql", _ask),
    Step("curl", _curl),
    Step("redis-cli XLEN", _redis),
    Step("./fleet export", _export),
    Step("supervisorctl stop clickhouse_writer: red", _stop_the_writer),
    Step("an alert fires", _wait_for_the_alert),
    Step("supervisorctl start: caught up", _start_the_writer),
    Step("nothing missing, nothing doubled", _quality),
    Step("a symbol more, in the page", _add_in_the_page),
    Step("a symbol more, at the prompt", _add_at_the_prompt),
    Step("./start.sh again", _start_again),
    Step("./stop.sh", _stop),
    Step("./start.sh on a port that is taken", _start_on_a_taken_port),
)


def _found(pattern: str, said: str, what: str) -> str:
    found = re.search(pattern, said)
    if found is None:
        raise Broken(f"expected {what}, found:\n{said}")
    return found[1]


def _changes(shown: Locator) -> None:
    """Return when what is shown is not what was shown at first."""
    expect(shown).not_to_have_text(shown.inner_text())


def main(words: Sequence[str]) -> int:
    """Return 0 when every step went as it should; the first that did not ends the walk."""
    took = {}
    with walking() as walk:
        for step in STEPS:
            begun_s = time.monotonic()
            try:
                seen = step.act(walk)
            except (Broken, Error, AssertionError, subprocess.TimeoutExpired) as error:
                print(f"{step.words}: {error}", file=sys.stderr)
                return 1
            took[step.words] = round(time.monotonic() - begun_s, 1)
            if "--json" not in words:
                print(f"{took[step.words]:6.1f} s  {step.words:<46}{seen}", flush=True)
    if "--json" in words:
        print(json.dumps(took, indent=2))
    else:
        print(f"{sum(took.values()):6.1f} s  in all")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
