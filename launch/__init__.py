"""What start.sh and stop.sh do once Python stands: check, find or set up servers, run Supervisor, wait, tell."""
