"""One start: what was asked for, and where it happens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from common.settings import Settings
from launch.configuration import configuration
from launch.daemon import Daemon
from launch.options import Options
from launch.place import Place
from launch.programs import Program
from launch.report import Steps


@dataclass
class Start:
    """What was asked for, under which settings, in which tree."""

    options: Options
    environ: Mapping[str, str]
    place: Place
    settings: Settings
    users: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    steps: Steps = field(default_factory=Steps)

    @property
    def daemon(self) -> Daemon:
        """Return the Supervisor of the tree."""
        return Daemon(self.place)

    @property
    def shared(self) -> dict[str, str]:
        """Return what every program's environment has on top: directories that are the same wherever one stands."""
        return {"DATA_DIR": str(self.settings.data_dir), "LOG_DIR": str(self.settings.log_dir)}

    @property
    def addresses(self) -> Path:
        """Return where the simulator writes its addresses."""
        return self.settings.data_dir / "run" / "simulator.json"

    def write_configuration(self, programs: Sequence[Program]) -> None:
        """Write the generated part of Supervisor's configuration."""
        text = configuration(self.place, programs, self.shared, self.settings.log_dir)
        draft = self.place.programs.with_suffix(".new")
        draft.write_text(text, encoding="utf-8")
        draft.replace(self.place.programs)


def settings_for(options: Options, environ: Mapping[str, str], place: Place) -> Settings:
    """
    Return the settings of a start, its directories absolute.

    What is simulated lies apart from the live record, unless the operator has named the data directory.

    Raises:
        BadSettings: naming every problem.
    """
    chosen = Settings.from_env(environ, place.root / ".env")
    data_dir = place.root / chosen.data_dir
    if options.feed != "live" and "data_dir" not in chosen.model_fields_set:
        data_dir /= options.feed
    return chosen.model_copy(update={"data_dir": data_dir, "log_dir": place.root / chosen.log_dir})
