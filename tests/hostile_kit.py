"""What strangers put into forms and addresses, and a fleet to do it to."""

import asyncio
import re

import requests

from common import redis_streams
from common.settings import Settings
from tests.cookbook_kit import fill
from tests.fleet_harness import PYTHON, free_port, wait_for
from tests.monitoring_fixtures import BusyFleet

MARK = "hostile7"
PAYLOADS = {
    "script": f"<script>{MARK}()</script>",
    "attribute": f'" autofocus onfocus="{MARK}()',
    "image": f"<img src=x onerror={MARK}()>",
    "sql": "x'; DROP TABLE trades; --",
    "sql function": "' OR 1=1 UNION ALL SELECT * FROM url('http://127.0.0.1:1/') --",
    "template": "{{ 7 * 191 }}${7*191}<%= 7*191 %>",
    "path": "../../../../etc/passwd",
    "line break": "x\r\nSet-Cookie: stolen=1\r\n\r\n<html>",
    "nul": "x\x00y",
    "pattern": "*",
    "long": "9" * 5_000,
    "right to left": "\u202etxt.exe\ufeff\U0001f600",
}
LIVE = (f"<script>{MARK}", "<img src=x onerror", f'onfocus="{MARK}', "1337")
OURS = re.compile(r"^(proc:|.*alerts|.*figures)")  # what the dashboard writes by itself, all the time


async def furnish(settings):
    async with redis_streams.connect(settings) as redis:
        await BusyFleet(redis).start()


def open_dashboard(fleet):
    """Start the servers, fill them a little, start the dashboard; return its address."""
    port = free_port()
    fleet.environment["DASHBOARD_PORT"] = str(port)
    fleet.start_servers()
    fill(fleet)
    asyncio.run(furnish(Settings.from_env(fleet.environment, fleet.folder / "none")))
    fleet.start("dashboard", PYTHON, "-m", "monitoring")
    url = f"http://127.0.0.1:{port}"
    wait_for(
        lambda: requests.get(f"{url}/readyz", timeout=5).json()["checks"]["clickhouse"], expected="ok", what="dashboard"
    )
    return url


def held(fleet):
    """Everything that Redis holds, but for what the dashboard says of itself."""
    return {key: described(fleet.redis, key) for key in fleet.redis.scan_iter() if not OURS.match(key)}


def described(redis, key):
    kind = redis.type(key)
    ask = {
        "hash": redis.hgetall, "string": redis.get, "set": redis.smembers,
        "stream": lambda name: (redis.xlen(name), redis.xinfo_groups(name)),
        "zset": lambda name: redis.zrange(name, 0, -1), "list": lambda name: redis.lrange(name, 0, -1),
    }  # fmt: skip
    return kind, ask[kind](key)


def rows(fleet):
    """How many rows each table has."""
    return fleet.sql(
        "SELECT table, sum(rows) FROM system.parts WHERE active AND database = 'tickfleet' GROUP BY 1 ORDER BY 1"
    )


def token_in(html):
    """The token of a form, as its page has it."""
    found = re.search(r'name="token" value="([0-9a-f]+)"', html)
    return found[1] if found else ""


def is_harmless(response):
    """Whether an answer runs nothing of what was sent, and is no fault of ours."""
    is_page = response.headers.get("content-type", "").startswith("text/html")  # elsewhere nothing runs
    is_raw = is_page and any(text in response.text for text in LIVE)
    return not is_raw and response.status_code < 500 and "set-cookie" not in response.headers
