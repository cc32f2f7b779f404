"""Sipuni: `questions` of its call scheme, `events` of its push, its `websocket` and its `api`.

Source: docs/facts/sipuni.md.
"""
