"""Who may come in, and what he may see: PBXs, the administrator, managers."""

from bridge.web.access.gate import AccessControl, AdminAccess
from bridge.web.access.pbx import HookAccess, HookGuard, HookGuessCounter
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
