"""What holds for the whole suite: tests of required environments may neither be skipped nor be absent."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("suite", deadline=None)  # timings are never asserted
settings.load_profile("suite")

MARK = "required_environment"
OPTION = "--must-run"
ALL = "--all"


class RequiredEnvironments:
    """Hears every report; at the end the session fails when a required test did not really run.

    `must_run`: environment kinds of which at least one marked test must have passed.
    """

    def __init__(self, must_run: frozenset[str]) -> None:
        self.must_run = must_run
        self.marked: dict[str, str] = {}  # test id -> environment kind
        self.not_run: dict[str, str] = {}  # test id -> why
        self.passed: set[str] = set()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Remember which tests carry the mark; their kind is their parameter."""
        for item in session.items:
            if item.get_closest_marker(MARK):
                callspec = getattr(item, "callspec", None)
                self.marked[item.nodeid] = str(callspec.params.get("kind", "")) if callspec else ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A skip in any phase counts, and so does a set-up that failed."""
        if report.nodeid not in self.marked:
            return
        if report.skipped:
            self.not_run[report.nodeid] = reason(report)
        elif report.when == "setup" and report.failed:
            self.not_run[report.nodeid] = "its set-up failed"
        elif report.when == "call" and report.passed:
            self.passed.add(self.marked[report.nodeid])

    def complaints(self) -> list[str]:
        """A line for everything that was required and did not run."""
        absent = sorted(self.must_run - self.passed)
        return [
            *(f"{test}: {why}" for test, why in self.not_run.items()),
            *(f"{kind}: no test of this environment passed" for kind in absent),
        ]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Turn complaints into a failed session."""
        if session.config.option.collectonly:
            return
        if self.complaints() and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say so."""
        if self.complaints() and not terminalreporter.config.option.collectonly:
            terminalreporter.section("required environments were not measured", red=True)
            for line in self.complaints():
                terminalreporter.write_line(line)


def reason(report: pytest.TestReport) -> str:
    """Why a test was skipped, as it said."""
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes long runs only when it is asked for."""
    if config.getoption(ALL):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="it takes long: scripts/test --all"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(ALL, action="store_true", help="also run what takes long")
    parser.addoption(OPTION, default="", metavar="KIND,KIND", help="fail unless a test of each of these kinds passed")


def pytest_configure(config: pytest.Config) -> None:
    kinds = config.getoption(OPTION)
    config.pluginmanager.register(RequiredEnvironments(frozenset(filter(None, kinds.split(",")))))
