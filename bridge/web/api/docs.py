"""`/docs`: the API on one page of ours, rendered from its OpenAPI description.

The usual viewers load scripts of other hosts into the administrator's own origin, and show
nothing where there is no internet.
"""

from pathlib import Path

from fastapi import FastAPI
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from bridge.web.shared.pages import PAGE_HEADERS


def docs_route(app: FastAPI) -> Route:
    """Build the route of the page over *app*'s own description."""
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent.parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = pages.get_template("docs.html")

    async def docs(request: Request) -> Response:
        del request
        return HTMLResponse(template.render(api=app.openapi()), headers=dict(PAGE_HEADERS))

    return Route("/docs", docs, include_in_schema=False)
