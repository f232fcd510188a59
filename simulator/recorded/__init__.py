"""Where replayed data comes from: recorded sessions, as each venue needs them."""
