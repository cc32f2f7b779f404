"""The one room that names every concrete class and builds the house from the settings.

`parts` what all of it shares, `commands` what one command needs, `service` the service with its
`calls` and `pages`. What only the service needs is imported where the service is built: it is half
of the time that a command like `route` would take.
"""

from collections.abc import Callable

from bridge.adapters.sqlite.file.permissions import set_private_umask
from bridge.bootstrap.commands import (
    call,
    check,
    console_link,
    desk_link,
    explain,
    outbox_drop,
    outbox_entries,
    outbox_entry,
    outbox_retry,
    set_up_background_logs,
    set_up_logs,
    sync,
)
from bridge.bootstrap.process_priority import lower_priority
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
    """Run the service until it is told to stop; *announce* gets the one-time link, if due."""
    from bridge.bootstrap.service import serve as run

    run(settings, announce)
