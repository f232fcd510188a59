"""Readings to verdicts to pages: whether the fleet is well, and what it does."""
