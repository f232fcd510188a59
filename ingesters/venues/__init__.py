"""A venue file decodes; it never dials, sleeps or logs."""
