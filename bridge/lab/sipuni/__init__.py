"""A simulated Sipuni cabinet: it asks the bridge where a call goes, pushes events, serves the API.

It trusts only the bytes on the wire, retries nothing, and reports what a caller would have met.
"""
