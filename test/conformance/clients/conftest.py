"""Where the server is."""

import os

import pytest


@pytest.fixture(scope="session")
def address():
    """Host and port, for clients that take no URL."""
    return os.environ["QUERN_URL"].removeprefix("http://")
