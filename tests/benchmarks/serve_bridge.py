"""Child: the service as its environment says, with the sync processes it starts itself."""

import os

from bridge.bootstrap.service import build_service
from bridge.settings import load_settings
from tests.benchmarks.children import given, serve


def main() -> None:
    # The sync processes read the same environment.
    os.environ.update(given()["environment"])
    serve(build_service(load_settings()).app)


if __name__ == "__main__":
    main()
