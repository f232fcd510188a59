"""Where invented data comes from: seeded generators that obey the venues' rules."""
