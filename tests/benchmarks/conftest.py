"""One scoreboard for the whole run, shown behind the last benchmark."""

import pytest

from tests.benchmarks.scoreboard import Scoreboard

_BOARD = pytest.StashKey[Scoreboard]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_BOARD] = Scoreboard()


@pytest.fixture
def board(request: pytest.FixtureRequest) -> Scoreboard:
    return request.config.stash[_BOARD]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    board = config.stash[_BOARD]
    if board.scores:
        terminalreporter.write_line("")
        terminalreporter.write(board.show())
