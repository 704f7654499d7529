"""Replicate's client against the /v1 routes."""

import pytest
from replicate import Client
from replicate.exceptions import ReplicateError

CLIENT = "replicate"


@pytest.fixture(scope="module")
def client(url):
    made = Client(api_token="none-needed", base_url=url)
    made.poll_interval = 0.05
    return made


def create(client, **options):
    return client.predictions.create(version="add:2", input={"a": [[1, 2, 3]], "b": [[3, 4, 5]]}, **options)


def test_create_and_wait(client):
    """A prediction is made, polled to its end and has an output"""
    prediction = create(client)
    prediction.wait()
    assert prediction.status == "succeeded"
    assert prediction.output == {"sum": [[4, 6, 8]], "product": [[3, 8, 15]]}
    assert prediction.version == "2"


def test_blocking(client):
    """With wait the first answer has the output"""
    prediction = create(client, wait=10)
    assert (prediction.status, prediction.output["sum"]) == ("succeeded", [[4, 6, 8]])


def test_get_and_reload(client):
    """A prediction is read by its id"""
    made = create(client, wait=10)
    found = client.predictions.get(made.id)
    assert (found.id, found.output) == (made.id, made.output)
    made.reload()
    assert made.output == found.output


def test_cancel(client):
    """One that has ended stays as it is"""
    prediction = create(client, wait=10)
    prediction.cancel()
    assert prediction.status == "succeeded"


def test_list(client):
    """The newest predictions are listed"""
    made = create(client, wait=10)
    assert made.id in [prediction.id for prediction in client.predictions.list()]


def test_refusals(client):
    """An error with its status"""
    with pytest.raises(ReplicateError) as refused:
        client.predictions.create(version="nobody:1", input={"x": [[1]]})
    assert refused.value.status == 404
    with pytest.raises(ReplicateError) as refused:
        client.predictions.get("nobody")
    assert refused.value.status == 404
