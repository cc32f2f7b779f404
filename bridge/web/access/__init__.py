"""Who may come in, and what he may see: PBXs, the administrator, managers."""

from bridge.web.access.gate import AdminAccess, Gate
from bridge.web.access.pbx import HookAccess, HookGuard, HookGuesses
from bridge.web.access.viewer import Role, Viewer, show_number

__all__ = [
    "AdminAccess",
    "Gate",
    "HookAccess",
    "HookGuard",
    "HookGuesses",
    "Role",
    "Viewer",
    "show_number",
]
