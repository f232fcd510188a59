"""What Prometheus scrapes, and that dashboards and rules ask only for what is there."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from common.clock import now_ns
from common.settings import Settings
from monitoring.metric_names import COUNTED, NAMES, PREFIX
from monitoring.metrics import FleetCollector
from monitoring.overview import house_of, overview
from tests.cookbook_kit import fill
from tests.fleet_harness import ROOT, Fleet
from tests.snapshot_kit import process, redis_reading, snapshot, whole_snapshot

GRAFANA, PROMETHEUS = ROOT / "deploy" / "grafana", ROOT / "deploy" / "prometheus"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
SPANS = {"$__timeFilter": "toYear({}) > 2000", "$__timeInterval": "toStartOfInterval({}, INTERVAL 10 SECOND)"}


def exported(shot, data_dir=None):
    registry = CollectorRegistry()
    registry.register(FleetCollector(shot, overview(shot, now_ns(), house_of(Settings())), data_dir))
    return {family.name: family for family in text_string_to_metric_families(generate_latest(registry).decode())}


@pytest.fixture(scope="module")
def families():
    return exported(whole_snapshot(), Path("/"))


def values(family, **labels):
    return [sample.value for sample in family.samples if labels.items() <= sample.labels.items()]


def test_every_name_has_the_prefix_a_help_and_base_units(families):
    assert all(name.startswith(PREFIX) and family.documentation for name, family in families.items())
    assert [] == [name for name in families if re.search(r"_(ms|ns|us|kb|mb|pct)(_|$)", name)]


def test_times_are_seconds_since_1970(families):
    assert values(families["tickfleet_beat_timestamp_seconds"])[0] == pytest.approx(now_ns() / 10**9, abs=60)


def test_durations_are_a_histogram_whose_buckets_grow(families):
    family = families["tickfleet_insert_duration_seconds"]
    of_writer = [sample for sample in family.samples if sample.labels["process"] == "clickhouse_writer"]
    buckets = [sample.value for sample in of_writer if sample.name.endswith("_bucket")]

    assert "histogram" == family.type
    assert (sorted(buckets), 3) == (buckets, buckets[-1])
    assert [400.22] == [sample.value for sample in of_writer if sample.name.endswith("_sum")]


def test_latency_names_its_stage(families):
    assert {"received_to_committed"} == {s.labels["stage"] for s in families["tickfleet_event_latency_seconds"].samples}


def test_an_ingester_that_has_met_no_gap_says_zero():
    found = exported(snapshot(redis_reading(process("okx_ingester", venue="okx"))))

    assert [0.0] == values(found["tickfleet_book_gaps"], venue="okx")
    assert [0.0] == values(found["tickfleet_ws_reconnects"], process="okx_ingester")


def test_a_program_that_is_declared_and_silent_is_not_up(families):
    shot = whole_snapshot()
    away = exported(snapshot(redis_reading(programs=shot.redis.programs)))

    assert [1.0] == values(families["tickfleet_process_up"], process="binance_ingester")
    assert [0.0] == values(away["tickfleet_process_up"], process="binance_ingester")


def test_what_a_server_does_not_tell_is_absent_and_not_zero():
    found = exported(snapshot(redis_problem="away", store_problem="away"))

    assert {"tickfleet_build_info", "tickfleet_server_up"} == set(found)


@pytest.fixture(scope="module")
def code():
    """All that writes figures."""
    return "\n".join(
        file.read_text(encoding="utf-8")
        for folder in ("common", "ingesters", "processors")
        for file in (ROOT / folder).rglob("*.py")
    )


def test_figures_that_are_written_say_what_they_are(code):
    several = " ".join(re.findall(r"gauges \|= \{(.*?)\}", code, re.DOTALL))
    written = {*re.findall(r'gauges\["(\w+)"\]', code), *re.findall(r'"(\w+)":', several)}

    assert {"spool_bytes", "members"} <= written
    assert set() == written - NAMES.keys()


def test_figures_that_have_a_name_are_written_by_somebody(code):
    counted = {figure.partition("|")[0] for figures in COUNTED.values() for figure in figures}
    durations = {"insert_s": 'observe(work.figures.counters, "insert"', "latency_s": '"latency"'}

    assert [] == [name for name in {*NAMES, *counted} if durations.get(name, name) not in code]


def test_dashboards_and_rules_ask_only_for_what_is_exported(families):
    expressions = [
        target.get("expr", "") for board in DASHBOARDS for panel in panels(board) for target in panel["targets"]
    ]
    rules = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    expressions += [rule["expr"] for group in rules for rule in group["rules"]]
    known = {sample.name for family in families.values() for sample in family.samples}

    assert [] == sorted(set(re.findall(rf"{PREFIX}\w+", " ".join(expressions))) - known)


def panels(board):
    return json.loads(board.read_text(encoding="utf-8"))["panels"]


@pytest.mark.parametrize("board", DASHBOARDS, ids=lambda board: board.stem)
def test_a_dashboard_is_whole(board):
    known = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "tickfleet.yaml").read_text(encoding="utf-8"))
    uids = {source["uid"] for source in known["datasources"]}
    found = panels(board)

    assert len(found) == len({panel["id"] for panel in found})
    assert {panel["datasource"]["uid"] for panel in found} <= uids
    assert all(panel["title"] and panel["description"] and panel["targets"] for panel in found)
    assert [] == [panel["title"] for panel in found if panel["gridPos"]["x"] + panel["gridPos"]["w"] > 24]


def test_every_rule_says_what_to_do_and_has_a_name_of_its_own():
    (group,) = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    names = [rule["alert"] for rule in group["rules"]]

    assert len(names) == len(set(names))
    assert all(rule["annotations"].keys() == {"summary", "description"} for rule in group["rules"])
    assert all(rule["labels"]["severity"] in ("warning", "critical") for rule in group["rules"])


def test_the_provisioning_files_are_valid():
    for file in [*GRAFANA.rglob("*.yaml"), *PROMETHEUS.glob("*.yml")]:
        assert yaml.safe_load(file.read_text(encoding="utf-8"))


def questions():
    for board in DASHBOARDS:
        data = json.loads(board.read_text(encoding="utf-8"))
        for variable in data["templating"]["list"]:
            yield pytest.param(variable["query"], id=f"{board.stem}-{variable['name']}")
        for panel in data["panels"]:
            for target in panel["targets"]:
                if "rawSql" in target:
                    yield pytest.param(target["rawSql"], id=f"{board.stem}-{panel['title']}")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with Fleet(tmp_path_factory.mktemp("grafana")) as made:
        made.start_servers()
        fill(made)
        yield made


@pytest.mark.clickhouse
@pytest.mark.redis
@pytest.mark.parametrize("question", list(questions()))
def test_what_a_dashboard_asks_of_clickhouse_has_an_answer(store, question):
    for macro, meaning in SPANS.items():
        question = re.sub(re.escape(macro) + r"\((\w+)\)", lambda found, to=meaning: to.format(found[1]), question)

    rows = store.sql(question.replace("${venue}", "binance").replace("${symbol}", "BTCUSDT"))

    assert rows
    assert "$" not in question.replace("${venue}", "").replace("${symbol}", "")
