"""Who may use hooks, pages and API, and what they may see."""

from bridge.web.access.access_control import AccessControl, AdminAccess
from bridge.web.access.hook_guard import HookAccess, HookGuard, HookGuessCounter
from bridge.web.access.viewer import Role, Viewer, format_visible_number

__all__ = [
    "AccessControl",
    "AdminAccess",
    "HookAccess",
    "HookGuard",
    "HookGuessCounter",
    "Role",
    "Viewer",
    "format_visible_number",
]
