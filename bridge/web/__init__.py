"""What comes in over HTTP: PBX hooks, API, pages."""
