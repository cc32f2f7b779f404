"""The street side: PBX hooks, API, pages."""
