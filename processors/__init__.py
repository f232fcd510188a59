"""Stream to batch to table: the consume loop, and the pure functions it calls."""
