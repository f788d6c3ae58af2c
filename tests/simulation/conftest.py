"""Adds what the simulations saw to the summary of a run: crash states and violations, and which check caught what."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Sum up what the simulations recorded."""
    totals: dict[str, int] = {}
    planted: list[str] = []
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, ()):
            for name, value in report.user_properties:
                if isinstance(value, int):
                    totals[name] = totals.get(name, 0) + value
                elif name == "planted":
                    planted.append(f"{outcome:6} {value}")
    for line in planted:
        terminalreporter.write_line(line)
    for name, title in (("crash_states", "crash states"), ("rotten_stores", "rotten stores")):
        if name in totals:
            terminalreporter.write_line(f"{totals[name]} {title}, {totals['violations']} violations in all")
