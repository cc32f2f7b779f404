"""1C-bridge: the bridge between 1C:Enterprise (UT 11) and a cloud PBX."""
