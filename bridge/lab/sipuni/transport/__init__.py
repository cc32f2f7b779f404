"""How the cabinet's requests and events travel: HTTP to the bridge, and its own websocket."""
