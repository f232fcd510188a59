"""The venues on loopback: they speak the real protocols, fed by a generator or by recorded sessions."""
