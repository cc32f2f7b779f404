"""What a page shows where a file cannot be read: the alarms, and never an error alone."""

from collections.abc import Awaitable
from typing import TypeVar

from bridge.errors import StoreError

T = TypeVar("T")
D = TypeVar("D")


async def or_default(question: Awaitable[T], otherwise: D) -> T | D:
    """Return the answer to *question*, or *otherwise* where the store cannot be read.

    For what is shown beside the alarms, one of which holds the reason.
    """
    try:
        return await question
    except StoreError:
        return otherwise
