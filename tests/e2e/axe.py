"""axe-core's word on a page, as axe-playwright-python brings it (axe is MPL 2.0, by Deque)."""

from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Page


async def serious_faults(page: Page) -> list[str]:
    """Return what would shut somebody out: faults that axe calls serious or critical."""
    found = (await Axe().run(page)).response["violations"]
    return [
        f"{fault['id']}: {fault['nodes'][0]['html']} {fault['nodes'][0]['failureSummary']}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]
