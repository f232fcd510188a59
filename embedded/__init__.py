"""What the fleet starts by itself when you bring no servers."""
