"""What a batch of records takes back of itself: nothing stands that was taken back, all else does."""

import polars as pl
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from common.records import REMOVED
from common.tables import ORDER_EVENT_ROWS
from processors.removal import parted


@effort(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=12))
def test_a_batch_parts_as_its_records_read_one_by_one_would(records):
    rows = [
        {"venue": "v", "event_id": name, "source": REMOVED if is_word else "chain", "offset": offset}
        for offset, (name, is_word) in enumerate(records)
    ]
    standing = []
    for row in rows:
        if row["source"] == REMOVED:
            standing = [one for one in standing if one["event_id"] != row["event_id"]]
        else:
            standing.append(row)
    frame = pl.DataFrame(
        rows, schema={"venue": pl.String, "event_id": pl.String, "source": pl.String, "offset": pl.UInt64}
    )
    found = parted(frame, ORDER_EVENT_ROWS)

    assert [row["offset"] for row in standing] == found.standing["offset"].to_list()
    assert sorted([*found.standing["offset"], *found.gone["offset"]]) == list(range(len(rows)))
