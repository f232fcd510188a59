"""What fires: the alarms that the dashboard has told of, as they stand in Redis beside their history."""

import msgspec

from monitoring.alarms import Alarm
from monitoring.watch import Snapshot

STATE = "alerts"  # of state:alerts, written by monitoring/alerting.py


def alarms_of(shot: Snapshot) -> list[Alarm] | None:
    """Return what fires, None where it is not known; nothing fires where none has been written down."""
    if shot.redis is None:
        return None
    try:
        return msgspec.json.decode(shot.redis.cursors.get(STATE, "[]"), type=list[Alarm])
    except msgspec.DecodeError:
        return None


def firing_of(shot: Snapshot) -> int | None:
    """Return how many alarms fire, None where it is not known."""
    alarms = alarms_of(shot)
    return None if alarms is None else len(alarms)
