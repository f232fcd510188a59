"""The judge of random faults: which numbers a venue has published."""

import pytest

from benchmarks.chaos.truth import _ids


@pytest.mark.parametrize(
    ("first", "last", "holes", "expected"),
    [
        (2, 10, [[3, 4], [8, 8]], [2, 5, 6, 7, 9, 10]),
        (4, 8, [[8, 8], [3, 4]], [5, 6, 7]),
        (0, 3, [], [1, 2, 3]),
        (18, 30, [[19, 40]], [18]),
    ],
)
def test_numbers_that_were_never_published_are_not_missed(first, last, holes, expected):
    assert expected == list(_ids({"first_id": 1, "last_id": 20, "holes": holes}, first, last))
