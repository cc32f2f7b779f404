"""Who may come in, and what he may see: PBXs, the administrator, managers."""

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
