"""A batch that kills its process: halved until the record that does it is alone, one death at each step."""

from typing import Literal

from processors.manifest import Manifest, Suspicion

ALONE_AFTER = 2  # lives lost among other work, which may as well have been to blame; the next tries the batch alone
CONDEMNED_AFTER = 2  # lives lost with one record alone in hand

Step = Literal["go on", "alone", "halve", "set aside"]


def next_step(manifest: Manifest, *, attempts: int, alone: int) -> Step:
    """Return what to do with a batch that so many lives have begun and not finished."""
    if manifest.suspicion is None and attempts < ALONE_AFTER:
        return "go on"
    if manifest.records > 1:
        return "halve" if alone else "alone"
    return "set aside" if alone >= CONDEMNED_AFTER and manifest.records else "alone"


def after_death(manifest: Manifest) -> Suspicion:
    """Return how to go on within a batch that is known to be guilty: with its first half."""
    stop = manifest.suspicion.stop if manifest.suspicion is not None else manifest.stop
    return Suspicion(stop=stop, size=manifest.records // 2, guilty=manifest.stop)


def after_success(suspicion: Suspicion | None, stop: int) -> Suspicion | None:
    """Return how to go on behind a batch that went well: the guilty record is in what is left of its stretch."""
    if suspicion is None or stop >= suspicion.stop:
        return None
    if stop < suspicion.guilty:
        return Suspicion(suspicion.stop, max(1, (suspicion.guilty - stop) // 2), suspicion.guilty)
    return Suspicion(suspicion.stop, suspicion.size * 2, 0)


def after_removal(suspicion: Suspicion | None, stop: int) -> Suspicion | None:
    """Return how to go on behind a record that was set aside: it may not have been the only one."""
    if suspicion is None or stop >= suspicion.stop:
        return None
    return Suspicion(suspicion.stop, 1, 0)
