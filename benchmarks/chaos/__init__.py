"""Random faults under load, and what was lost or doubled: the promise, put to the proof."""
