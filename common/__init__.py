"""Words, numbers and pipes that every process shares."""
