"""What start.sh installs and what can be set: pinned, explained, complete."""

import re

import pytest

from common.settings import Settings
from launch.options import Options
from launch.place import Place
from launch.start import settings_for
from tests.start_kit import ROOT

DIRECT = re.compile(r"^([a-z0-9-]+)(?:\[[a-z]+\])?==([\w.]+)(?:; [^#]+?)? +# (.+)$", re.MULTILINE)


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_every_direct_dependency_says_what_it_is_for_and_is_pinned_with_hashes(name):
    declared = (ROOT / f"{name}.in").read_text()
    locked = (ROOT / f"{name}.txt").read_text()

    wanted = [line for line in declared.splitlines() if line and not line.startswith(("#", "-"))]
    found = DIRECT.findall(declared)
    assert len(wanted) == len(found)
    for package, version, reason in found:
        pinned = re.escape(f"# {reason}\n{package}=={version}") + r"( ; .+)? \\\n    --hash=sha256:"
        assert re.search(pinned, locked), package


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_lock_files_name_no_registry(name):
    locked = (ROOT / name).read_text()

    assert [] == re.findall(r"https?://|--index|--extra-index|--find-links|--trusted-host", locked)


def test_the_example_names_every_setting_with_its_default():
    example = dict(re.findall(r"^#([A-Z0-9_]+)=(.*?)(?:[ ]+#.*)?$", (ROOT / ".env.example").read_text(), re.MULTILINE))

    assert {name.upper() for name in Settings.model_fields} == set(example)
    assert Settings() == Settings.from_env(example, ROOT / "none")


def test_simulated_data_lies_apart_from_the_live_record(tmp_path):
    place = Place(tmp_path)

    live, demo, replay = (settings_for(Options(feed), {}, place).data_dir for feed in ("live", "demo", "replay"))

    assert (tmp_path / "data", tmp_path / "data/demo", tmp_path / "data/replay") == (live, demo, replay)


def test_a_data_directory_that_was_named_is_taken_as_it_is(tmp_path):
    (tmp_path / ".env").write_text("DATA_DIR=mine\n")

    assert tmp_path / "mine" == settings_for(Options("demo"), {}, Place(tmp_path)).data_dir
    assert tmp_path / "theirs" == settings_for(Options("demo"), {"DATA_DIR": "theirs"}, Place(tmp_path)).data_dir
