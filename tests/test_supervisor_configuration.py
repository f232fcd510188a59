"""What is written for Supervisor is what Supervisor reads, and no secret is in it."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from common.settings import Settings
from ingesters.registry import VENUES
from launch.base import embedded
from launch.configuration import configuration
from launch.fleet import fleet
from launch.place import Place
from launch.programs import Program
from launch.report import CannotStart
from processors.registry import PROGRAMS, why_off
from tests.start_kit import ROOT


def read_back(root, programs, shared=None):
    """Return what Supervisor makes of the configuration of these programs, by program."""
    place = Place(root)
    place.run.mkdir(parents=True, exist_ok=True)
    log_dir = root / "logs, all"
    log_dir.mkdir(exist_ok=True)
    place.programs.write_text(configuration(place, programs, shared or {}, log_dir))
    (root / "supervisord.conf").write_text((ROOT / "supervisord.conf").read_text())
    options = ServerOptions()
    options.realize(["-c", str(root / "supervisord.conf")])
    return {group.name: group for group in options.process_group_configs}


def all_programs(settings, feed=None):
    return [*embedded(settings), *fleet(settings, feed or {})]


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path / "data", goldsky_enabled=False, clickhouse_writers=3)


def test_every_program_of_the_registries_is_run_under_its_own_name(tmp_path, settings):
    found = read_back(tmp_path, all_programs(settings))

    wanted = {venue.program for venue in VENUES if venue.why_disabled(settings) is None}
    processors = {program for program in PROGRAMS if why_off(program, settings) is None}
    assert {"redis", "clickhouse", "dashboard", "crash_listener", *processors, *wanted} == set(found)


def test_a_disabled_venue_is_left_out_and_its_reason_is_kept(settings):
    (goldsky,) = [program for program in all_programs(settings) if program.name == "goldsky_ingester"]

    assert "GOLDSKY_ENABLED=false" == goldsky.why_not


def test_a_venue_that_was_switched_off_is_known_and_not_started(tmp_path, settings):
    programs = [replace(one, is_off=one.name == "okx_ingester") for one in all_programs(settings)]
    found = read_back(tmp_path, programs)

    starts = {name: found[name].process_configs[0].autostart for name in ("okx_ingester", "binance_ingester")}
    assert {"okx_ingester": False, "binance_ingester": True} == starts


def test_one_process_has_the_flat_name_and_several_are_numbered(tmp_path, settings):
    found = read_back(tmp_path, all_programs(settings))

    writers = found["clickhouse_writer"].process_configs
    assert ["trade_processor"] == [process.name for process in found["trade_processor"].process_configs]
    assert [f"clickhouse_writer_0{number}" for number in range(3)] == [process.name for process in writers]
    assert [process.name for process in writers] == [shlex.split(process.command)[-1] for process in writers]
    assert [f"clickhouse_writer_0{number}.log" for number in range(3)] == [
        Path(process.stdout_logfile).name for process in writers
    ]


def test_what_feeds_is_stopped_before_what_is_fed(tmp_path, settings):
    found = read_back(tmp_path, all_programs(settings))

    order = ["redis", "clickhouse", "clickhouse_writer", "trade_processor", "binance_ingester", "dashboard"]
    assert order == sorted(order, key=lambda name: found[name].priority)
    assert len(order) == len({found[name].priority for name in order})


def test_a_program_that_was_told_to_stop_or_was_refused_stays_down(tmp_path, settings):
    (process,) = read_back(tmp_path, all_programs(settings))["binance_ingester"].process_configs

    assert [0, 2] == process.exitcodes
    assert (30, True, True) == (process.stopwaitsecs, process.stopasgroup, process.killasgroup)


def test_paths_with_spaces_quotes_and_percent_signs_are_read_back_as_they_are(tmp_path):
    root = tmp_path / "o'brien's place"
    root.mkdir()
    odd = Program("odd", "ingester", ("-m", "odd", "100% it's"), 1, environment={"A_URL": "ws://h/?a=%20,b c"})

    (process,) = read_back(root, [odd], {"DATA_DIR": "/a b/100%"})["odd"].process_configs

    assert ["-m", "odd", "100% it's"] == shlex.split(process.command)[1:]
    assert "ws://h/?a=%20,b c" == process.environment["A_URL"]
    assert "/a b/100%" == process.environment["DATA_DIR"]
    assert str(root / "logs, all" / "odd.log") == process.stdout_logfile


@pytest.mark.parametrize("path", ['/data"', "/data;", "/data # old"])
def test_what_supervisor_cannot_be_told_is_refused_by_name(tmp_path, path):
    with pytest.raises(CannotStart, match="cannot be told"):
        configuration(Place(tmp_path), [Program("odd", "ingester", (), 1)], {"DATA_DIR": path}, tmp_path)


def test_a_log_directory_with_a_percent_sign_is_refused_by_name(tmp_path):
    with pytest.raises(CannotStart, match="100%"):
        configuration(Place(tmp_path), [Program("odd", "ingester", (), 1)], {}, tmp_path / "100%")


def test_a_tree_that_supervisor_cannot_look_into_is_refused(tmp_path):
    root = tmp_path / "[old]"
    root.mkdir()

    with pytest.raises(CannotStart, match="move"):
        Place(root).prepare()


def test_no_secret_is_written_down(tmp_path):
    settings = Settings(redis_password="sesame", clickhouse_password="sesame", dashboard_password="sesame")

    text = configuration(Place(tmp_path), all_programs(settings), {}, tmp_path)

    assert "sesame" not in text


def test_simulated_addresses_reach_the_ingesters_and_the_dashboard_that_searches_their_venues(tmp_path, settings):
    found = read_back(tmp_path, all_programs(settings, {"BINANCE_WS_URL": "ws://127.0.0.1:1"}))

    with_address = {name for name, group in found.items() if "BINANCE_WS_URL" in group.process_configs[0].environment}
    assert {"polymarket_ingester", "binance_ingester"} <= with_address
    assert with_address <= {"dashboard", *(venue.program for venue in VENUES)}


def test_a_socket_name_stays_within_what_the_kernel_takes(tmp_path):
    near, far = Place(Path("/srv/tickfleet")), Place(tmp_path / ("deep" * 40))
    brink = Place(Path("/", "b" * (99 - len("//run/supervisor.sock"))))

    assert Path("/srv/tickfleet/run/supervisor.sock") == near.socket
    assert (99, brink.root) == (len(str(brink.socket)), brink.socket.parent.parent)
    assert Path("/tmp") == Place(Path(f"{brink.root}b")).socket.parent
    assert len(str(far.socket)) <= 99
    assert far.socket != Place(tmp_path / ("deeper" * 40)).socket


def test_servers_of_the_operators_own_are_not_run():
    settings = Settings(redis_host="10.0.0.1", clickhouse_host="10.0.0.2")

    assert [] == embedded(settings)
