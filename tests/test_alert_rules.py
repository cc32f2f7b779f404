"""The alert rules for Prometheus name figures and alarms that there are."""

import re
from datetime import timedelta
from pathlib import Path
from typing import get_args

import bridge
from bridge.adapters.metrics import Metrics
from bridge.domain.routing.decision import Rule
from bridge.ports.alarms import AlarmName
from bridge.ports.stores.outbox import OutboxCounts

RULES = (Path(bridge.__file__).parent / "manual" / "prometheus-alerts.yml").read_text("utf-8")


def test_every_figure_is_exposed() -> None:
    metrics = Metrics()
    metrics.routed("sipuni", Rule.DEFAULT, 0.001)
    metrics.route_failed("sipuni")
    shown = metrics.expose(OutboxCounts(), timedelta(0), 0).decode()

    named = set(re.findall(r"bridge_\w+", RULES))

    assert named
    assert not [name for name in named if not re.search(rf"^{name}\b", shown, re.MULTILINE)]


def test_every_alarm_is_one_of_ours() -> None:
    named = {name for part in re.findall(r'name[=!]~"([^"]*)"', RULES) for name in part.split("|")}

    assert named <= set(get_args(AlarmName))
