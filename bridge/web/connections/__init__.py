"""Connections before our code: what one may send, how long it may take, how many there may be.

`limits` holds the numbers, `request_heads` reads the bytes of a request's head, `registry` counts
connections, `protocol` is uvicorn's own protocol held to all of that.
"""
