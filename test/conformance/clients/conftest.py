"""Where the server is, and what became of each test."""

import inspect
import json
import os
from importlib.metadata import version

import pytest

OUTCOMES = {}


@pytest.fixture(scope="session")
def url():
    """Of the API."""
    return os.environ["QUERN_URL"]


@pytest.fixture(scope="session")
def address(url):
    """Host and port, for clients that take no URL."""
    return url.removeprefix("http://")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Counts by test function: its first line says what the client could do."""
    report = yield
    if report.when == "call" or report.outcome != "passed":
        title = inspect.getdoc(item.function).splitlines()[0]
        counts = OUTCOMES.setdefault((item.module.CLIENT, title), {})
        counts[report.outcome] = counts.get(report.outcome, 0) + 1
    return report


def pytest_sessionfinish():
    """Writes what the page of results is made of."""
    rows = [
        {
            "client": client,
            "version": version(client),
            "title": title,
            "passed": counts.get("passed", 0),
            "failed": counts.get("failed", 0),
        }
        for (client, title), counts in OUTCOMES.items()
    ]
    with open(os.environ["QUERN_RESULTS"], "w", encoding="utf-8") as file:
        json.dump(rows, file)
