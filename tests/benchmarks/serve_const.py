"""Child: the floor of the hook, one constant FastAPI endpoint."""

from fastapi import FastAPI

from tests.benchmarks.children import given, serve

app = FastAPI()


@app.get("/const")
async def const() -> dict[str, object]:
    """Answer what the hook answers, and nothing else."""
    return {"choice": 1, "extension": "205"}


if __name__ == "__main__":
    given()
    serve(app)
