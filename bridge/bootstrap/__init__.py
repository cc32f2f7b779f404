"""The only package that names concrete classes: it builds everything from the settings.

`commands/` builds what one command needs, `service` the service with its `call_handling` and
`pages`; `pbx` and `stores` are where another PBX or another store is added. What only the service
needs is imported where the service is built: it takes half of the time of a command like `route`.
"""

from collections.abc import Callable

from bridge.adapters.sqlite.file.permissions import set_private_umask
from bridge.bootstrap.commands.check import check
from bridge.bootstrap.commands.links import console_link, desk_link
from bridge.bootstrap.commands.outbox import (
    outbox_drop,
    outbox_entries,
    outbox_entry,
    outbox_retry,
)
from bridge.bootstrap.commands.route import call, explain
from bridge.bootstrap.commands.sync import set_up_background_logs, set_up_logs, sync
from bridge.bootstrap.process import lower_priority
from bridge.bootstrap.shared import now
from bridge.settings import Settings

__all__ = [
    "call",
    "check",
    "console_link",
    "desk_link",
    "explain",
    "lower_priority",
    "now",
    "outbox_drop",
    "outbox_entries",
    "outbox_entry",
    "outbox_retry",
    "serve",
    "set_private_umask",
    "set_up_background_logs",
    "set_up_logs",
    "sync",
]


def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Run the service until it is stopped; *announce* gets the one-time link, if due."""
    from bridge.bootstrap.serve import serve as run

    run(settings, announce)
