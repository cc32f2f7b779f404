"""Sipuni: `dialect` the scheme's node, `events` its push, `websocket` the same, `api` the cabinet.

Forms and quirks are those of facts/telephony-apis.md §1.
"""

from bridge.adapters.pbx.sipuni.questions import AnswerForm, SipuniTelephony

__all__ = ["AnswerForm", "SipuniTelephony"]
