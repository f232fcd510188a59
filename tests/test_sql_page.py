"""The SQL box: what people write is asked within limits; it changes nothing, reads nothing else, holds nobody up."""

import json
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from html import unescape

import pytest
import requests

from monitoring.prompts import sql_text
from monitoring.sql_box import (
    AT_ONCE,
    LONGEST_S,
    LONGEST_TEXT,
    MOST_ROWS,
)
from tests.fleet_harness import PYTHON, Fleet, free_port, wait_for
from tests.hostile_kit import PAYLOADS, held, is_harmless, open_dashboard, rows, token_in
from tests.monitoring_fixtures import dashboard

HERE = {"Sec-Fetch-Site": "same-origin"}
ENDLESS = "SELECT count() FROM numbers(100000000000000) WHERE NOT ignore(sipHash64(number))"
PROBLEM = re.compile(r'<b role="alert">■ No answer</b> (.+?)</p>')
pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]
HOSTILE = {
    "insert": "INSERT INTO trades (venue) VALUES ('x')",
    "drop": "DROP TABLE trades",
    "truncate": "TRUNCATE TABLE trades",
    "alter": "ALTER TABLE trades DELETE WHERE 1",
    "create": "CREATE TABLE mine (a UInt8) ENGINE = Memory",
    "temporary": "CREATE TEMPORARY TABLE mine (a UInt8)",
    "set": "SET max_execution_time = 0",
    "lifted": "SELECT 1 SETTINGS max_execution_time = 0",
    "readonly": "SELECT 1 SETTINGS readonly = 0",
    "kill": "KILL QUERY WHERE 1",
    "system": "SYSTEM STOP MERGES",
    "user": "CREATE USER mine",
    "grants": "GRANT ALL ON *.* TO default",
    "two": "SELECT 1; DROP TABLE trades",
    "outfile": "SELECT 1 INTO OUTFILE '/tmp/mine'",
    "url": "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
    "file": "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "file, the function": "SELECT file('/etc/passwd')",
    "file, spelt": r"SELECT `\x66ile`('/etc/passwd')",
    "file, handed on": "SELECT arrayMap(file, ['/etc/passwd'])",
    "file, looked at": "DESCRIBE file('/etc/passwd')",
    "remote": "SELECT * FROM remote('127.0.0.1:1', 'system.one')",
    "s3": "SELECT * FROM s3('http://127.0.0.1:1/bucket/key', 'CSV', 'a String')",
    "executable": "SELECT * FROM executable('cat /etc/passwd', 'TSV', 'a String')",
    "mysql": "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "dictionary": "SELECT * FROM dictionary('x')",
    "python": "SELECT * FROM Python(engine)",
    "eval": "SELECT * FROM eval('SELECT 1')",
    "sleep": "SELECT sleep(60)",
    "memory": "SELECT length(groupArray(toString(number))) FROM numbers(1000000000)",
    "wide": "SELECT repeat('x', 1000000) FROM numbers(1000)",
    "much": "SELECT repeat('x', 10000) FROM numbers(1000)",
    "much, read": "SELECT repeat(toString(number), 10000) FROM numbers(1000)",
    "format": "SELECT 1 FORMAT CSV",
    "nothing": " ;",
    "no such table": "SELECT * FROM nowhere",
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with Fleet(tmp_path_factory.mktemp("sql")) as made:
        made.url = open_dashboard(made)
        yield made


def post(url, query, form="page", **how):
    page = requests.get(f"{url}/sql", timeout=20, **how)
    filled = {"token": token_in(page.text), "query": query, "as": form}
    return requests.post(f"{url}/sql", filled, headers=HERE, timeout=40, **how)


def problem_of(answer):
    found = PROBLEM.search(answer.text)
    return unescape(found[1]) if found else ""


def test_a_statement_is_answered_with_types_and_as_a_command(fleet):
    page = post(fleet.url, "SELECT venue, count() AS n\nFROM trades WHERE venue = 'binance' GROUP BY venue;").text
    stored = fleet.sql("SELECT count() FROM trades WHERE venue = 'binance'")[0][0]

    assert ">1 row<" in page
    assert '<th scope="col" class="n">n <small>UInt64</small></th>' in page
    assert f'<td>binance</td><td class="n">{stored}</td>' in page
    assert "./fleet sql" in page
    assert re.search(r'<p class="asof">\d+\.\d{3} s</p>', page)


def test_the_first_rows_of_more_are_called_that(fleet):
    of_more = post(fleet.url, f"SELECT number FROM numbers({MOST_ROWS + 1})").text
    whole = post(fleet.url, f"SELECT number FROM numbers({MOST_ROWS})").text

    assert ("The first 1\u202f000 rows of more" in of_more, ">1\u202f000 rows<" in whole) == (True, True)
    assert (MOST_ROWS, MOST_ROWS) == (of_more.count('<td class="n">'), whole.count('<td class="n">'))


def test_what_is_not_known_is_told_from_the_word_for_it(fleet):
    page = post(fleet.url, "SELECT NULL AS a, 'NULL' AS b, 1.10::Decimal(9, 2) AS c").text

    assert '<td><span class="na">NULL</span></td><td>NULL</td><td class="n">1.1</td>' in page


def test_an_address_fills_the_box_and_runs_nothing(fleet):
    query = "SELECT concat('ran', '-', 'it') AS done"
    page = requests.get(f"{fleet.url}/sql", {"query": query}, timeout=20)

    assert (200, False, True) == (page.status_code, "ran-it" in page.text, query in unescape(page.text))
    assert 'http-equiv="refresh"' not in page.text  # without scripts, what is being written would be gone
    assert "ran-it" in post(fleet.url, query).text


def test_the_same_as_a_file(fleet):
    query = "SELECT number AS n, '=1+1' AS formula, 12345678901234567.89::Decimal(38, 2) AS exact FROM numbers(2)"
    as_lines, as_csv = post(fleet.url, query, "jsonl"), post(fleet.url, query, "csv")
    told = [json.loads(line) for line in as_lines.text.splitlines()]

    assert 'attachment; filename="sql.csv"' == as_csv.headers["content-disposition"]
    assert ["n,formula,exact", "0,'=1+1,12345678901234567.89"] == as_csv.text.splitlines()[:2]
    assert [{"n": n, "formula": "=1+1", "exact": "12345678901234567.89"} for n in (0, 1)] == told


def test_hostile_statements_are_refused_in_one_line_and_change_nothing(fleet):
    before, odd = (held(fleet), rows(fleet)), {}
    for name, statement in HOSTILE.items():
        answer = post(fleet.url, statement)
        told = problem_of(answer)
        is_well = answer.status_code == 422 and told and "\n" not in told and "root:" not in answer.text
        odd |= {} if is_well else {name: (answer.status_code, told)}

    assert {} == odd
    assert before == (held(fleet), rows(fleet))


def test_the_engines_words_are_told_whole(fleet):
    answer = post(fleet.url, "SELECT vneue FROM trades WHERE symbol = 'a name that goes on and on and on and on'")

    assert problem_of(answer).startswith("Unknown expression identifier `vneue`")
    assert problem_of(answer).endswith("on and on and on and on'. (UNKNOWN_IDENTIFIER)")


def test_no_password_stands_in_what_may_be_read(fleet):
    told = "".join(
        post(fleet.url, f"SELECT * FROM system.{table}", "jsonl").text
        for table in ("users", "processes", "settings", "server_settings")
    )

    assert "password_hash" not in told
    assert "default" in told


@pytest.mark.parametrize("name", PAYLOADS)
def test_what_is_written_and_what_is_stored_is_shown_as_text(fleet, name):
    name_of_column = re.sub(r"[`\\\x00]", "", PAYLOADS[name])
    answer = post(fleet.url, f"SELECT {sql_text(PAYLOADS[name])} AS `{name_of_column}`")

    assert is_harmless(answer)
    assert is_harmless(requests.get(f"{fleet.url}/sql", {"query": PAYLOADS[name]}, timeout=20))
    assert answer.status_code == 200


def test_a_form_from_elsewhere_and_one_that_is_too_large_are_refused(fleet):
    token = token_in(requests.get(f"{fleet.url}/sql", timeout=20).text)
    form, address = {"token": token, "query": "SELECT 1"}, f"{fleet.url}/sql"
    elsewhere = ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {})
    answers = [requests.post(address, form, headers=one, timeout=20).status_code for one in elsewhere]
    forged = requests.post(address, {**form, "token": "0" * 64}, headers=HERE, timeout=20)

    assert [403, 403, 403, 403] == [*answers, forged.status_code]
    assert (422, 413) == tuple(post(fleet.url, "1" * size).status_code for size in (LONGEST_TEXT + 1, 2**20))


def test_a_long_statement_ends_by_itself_others_are_told_and_pages_go_on(fleet):
    with ThreadPoolExecutor(AT_ONCE) as pool:
        endless = [pool.submit(post, fleet.url, ENDLESS) for _ in range(AT_ONCE)]
        wait_for(lambda: running(fleet), expected=AT_ONCE, what="statements run")
        refused = post(fleet.url, "SELECT 1")
        begun_s = time.monotonic()
        other = requests.get(f"{fleet.url}/instruments", timeout=20)
        took_s = time.monotonic() - begun_s
        ended = [one.result() for one in endless]

    assert ("running already" in problem_of(refused), 503, 200) == (True, refused.status_code, other.status_code)
    assert took_s < LONGEST_S / 2
    assert ["Timeout exceeded"] * AT_ONCE == [problem_of(one)[:16] for one in ended]
    assert 200 == post(fleet.url, "SELECT 1").status_code


def test_who_may_look_may_ask(fleet):
    port = free_port()
    fleet.environment |= {"DASHBOARD_PORT": str(port), "DASHBOARD_READER_PASSWORD": "glance"}
    fleet.environment["DASHBOARD_PASSWORD"] = "do"
    fleet.start("reader", PYTHON, "-m", "monitoring")
    url = f"http://127.0.0.1:{port}"
    wait_for(lambda: requests.get(f"{url}/healthz", timeout=5).status_code, expected=200, what="dashboard")

    assert 200 == post(url, "SELECT 1", auth=("me", "glance")).status_code
    assert 401 == requests.post(f"{url}/sql", {"query": "SELECT 1"}, headers=HERE, timeout=20).status_code


def test_an_engine_that_is_away_is_told(fleet, tmp_path_factory):
    with dashboard(tmp_path_factory.mktemp("lonely"), fleet.redis_port) as url:
        answer = post(url, "SELECT 1")

    assert (503, "connection refused") == (answer.status_code, problem_of(answer))


def running(fleet):
    return fleet.sql("SELECT count() FROM system.processes WHERE query LIKE '%sipHash64(number)%'")[0][0] - 1
