"""What people do to a fleet, whether from a page or at a prompt: first a plan, which changes nothing, then the deed."""
