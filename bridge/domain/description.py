"""Placeholder until the branch that owns it lands."""


def merged(present: str, ours_before: str, ours_now: str) -> str:
    """Replace our block."""
    if ours_before and ours_before in present:
        return present.replace(ours_before, ours_now, 1)
    if ours_now in present:
        return present
    return f"{present}\n{ours_now}" if present else ours_now


def subject_change(present: str, ours_before: str, ours_now: str) -> str | None:
    """Change the subject where it is ours."""
    return ours_now if present == ours_before and present != ours_now else None
