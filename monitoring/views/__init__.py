"""What each page shows: its facts, its questions, and the view of both."""
