"""KServe's REST client against the /v2 routes."""

import asyncio

import httpx
import numpy as np
import pytest
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

CLIENT = "kserve"

SAMPLES = {
    "BOOL": np.array([[True, False]]),
    "UINT8": np.array([[0, 255]], np.uint8),
    "INT64": np.array([[-(2**63), 2**63 - 1]], np.int64),
    "FP16": np.array([[-65_504, 0.1]], np.float16),
    "FP32": np.array([[0.1, -3.4e38]], np.float32),
    "FP64": np.array([[0.1, 5e-324]], np.float64),
}


def with_client(use):
    """Runs `use(client)`; a client lives in one event loop."""

    async def session():
        async with InferenceRESTClient(RESTConfig(protocol="v2", timeout=30)) as client:
            return await use(client)

    return asyncio.run(session())


def request_of(model, name, datatype, array, binary, **options):
    tensor = InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array, binary_data=binary)
    return InferRequest(model_name=model, infer_inputs=[tensor], **options)


@pytest.mark.parametrize("output_form", ["binary", "json"])
@pytest.mark.parametrize("datatype", SAMPLES)
def test_binary_round_trip(url, datatype, output_form):
    """Tensors sent in binary form come back as they were, in binary form and as JSON"""
    model, array = f"identity-{datatype.lower()}", SAMPLES[datatype]
    output = RequestedOutput("y", {"binary_data": output_form == "binary"})
    request = request_of(model, "x", datatype, array, True, request_outputs=[output])
    result = with_client(lambda client: client.infer(url, request, model_name=model))
    got = result.outputs[0].as_numpy()
    assert got.dtype == array.dtype
    assert got.tobytes() == array.tobytes()


@pytest.mark.parametrize("datatype", [name for name in SAMPLES if name != "FP16"])
def test_json_round_trip(url, datatype):
    """Tensors sent as JSON come back as they were"""
    model, array = f"identity-{datatype.lower()}", SAMPLES[datatype]
    request = request_of(model, "x", datatype, array, False, request_id="mine")
    result = with_client(lambda client: client.infer(url, request, model_name=model))
    assert result.id == "mine"
    assert result.outputs[0].as_numpy().tolist() == array.tolist()


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
def test_texts(url, binary):
    """Texts, in binary form and as JSON"""
    array = np.array([["", "Wört"], ["日本", "c" * 300]], np.object_)
    request = request_of("identity-bytes", "x", "BYTES", array, binary)
    result = with_client(lambda client: client.infer(url, request, model_name="identity-bytes"))
    found = result.outputs[0].as_numpy().flatten()
    texts = [item.decode() if isinstance(item, bytes) else item for item in found]
    assert texts == list(array.flatten())


def test_plain_body(url):
    """A body written by hand"""
    tensor = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [0.5, 1]}
    body = {"inputs": [tensor]}
    result = with_client(lambda client: client.infer(url, body, model_name="identity-fp32"))
    assert result.outputs[0].as_numpy().tolist() == [[0.5, 1]]


def test_health(url):
    """Live, ready, and ready by model"""

    async def ask(client):
        return [
            await client.is_server_live(url),
            await client.is_server_ready(url),
            await client.is_model_ready(url, "digits"),
            await client.is_model_ready(url, "corrupt"),
        ]

    assert with_client(ask) == [True, True, True, False]


def test_refusals(url):
    """An error with its status"""
    array = SAMPLES["FP32"]
    request = request_of("nobody", "x", "FP32", array, True)
    with pytest.raises(httpx.HTTPStatusError, match="404 Not Found") as refused:
        with_client(lambda client: client.infer(url, request, model_name="nobody"))
    assert refused.value.response.status_code == 404
