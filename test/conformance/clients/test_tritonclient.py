"""Triton's HTTP client against the /v2 routes."""

import json

import numpy as np
import pytest
from tritonclient import http
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

CLIENT = "tritonclient"

SAMPLES = {
    "BOOL": np.array([[True, False, True], [False, True, False]]),
    "UINT8": np.array([[0, 1, 255], [7, 8, 9]], np.uint8),
    "UINT16": np.array([[0, 1, 65_535], [7, 8, 9]], np.uint16),
    "UINT32": np.array([[0, 1, 4_294_967_295], [7, 8, 9]], np.uint32),
    "UINT64": np.array([[0, 1, 18_446_744_073_709_551_615], [2**53 + 1, 8, 9]], np.uint64),
    "INT8": np.array([[-128, 0, 127], [7, 8, 9]], np.int8),
    "INT16": np.array([[-32_768, 0, 32_767], [7, 8, 9]], np.int16),
    "INT32": np.array([[-2_147_483_648, 0, 2_147_483_647], [7, 8, 9]], np.int32),
    "INT64": np.array([[-(2**63), 0, 2**63 - 1], [2**53 + 1, 8, 9]], np.int64),
    "FP16": np.array([[-65_504, 0.1, 6e-8], [7, 8, 9]], np.float16),
    "FP32": np.array([[-3.4e38, 0.1, 1e-45], [7, 8, 9]], np.float32),
    "FP64": np.array([[-1.7e308, 0.1, 5e-324], [7, 8, 9]], np.float64),
    "BYTES": np.array([["", "Wört", "日本"], ["a", "b", "c" * 300]], np.object_),
}

DIGIT = np.zeros((1, 1, 8, 8), np.float32)


@pytest.fixture(scope="module")
def client(address):
    with http.InferenceServerClient(address) as connected:
        yield connected


def model_of(datatype):
    return f"identity-{datatype.lower()}"


def input_of(array, binary=True, name="x"):
    tensor = http.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    return tensor.set_data_from_numpy(array, binary_data=binary)


def assert_same(got, expected):
    if expected.dtype == np.object_:
        texts = [item.decode() if isinstance(item, bytes) else item for item in got.flatten()]
        assert texts == list(expected.flatten())
    else:
        assert got.dtype == expected.dtype
        assert got.tobytes() == expected.tobytes()
    assert got.shape == expected.shape


@pytest.mark.parametrize("output_form", ["binary", "json"])
@pytest.mark.parametrize("input_form", ["binary", "json"])
@pytest.mark.parametrize("datatype", SAMPLES)
def test_round_trip(client, datatype, input_form, output_form):
    """Every element of a datatype comes back as it was sent"""
    array = SAMPLES[datatype]
    result = client.infer(
        model_of(datatype),
        [input_of(array, binary=input_form == "binary")],
        outputs=[http.InferRequestedOutput("y", binary_data=output_form == "binary")],
    )
    assert_same(result.as_numpy("y"), array)


@pytest.mark.parametrize("datatype", SAMPLES)
def test_default_outputs(client, datatype):
    """Without a list of outputs all come, in binary form"""
    result = client.infer(model_of(datatype), [input_of(SAMPLES[datatype])])
    assert "binary_data_size" in result.get_output("y")["parameters"]
    assert_same(result.as_numpy("y"), SAMPLES[datatype])


@pytest.mark.parametrize("datatype", SAMPLES)
def test_metadata(client, datatype):
    """The metadata name inputs and outputs with datatype and shape"""
    metadata = client.get_model_metadata(model_of(datatype))
    assert metadata["platform"] == "onnx_onnxv1"
    assert metadata["inputs"] == [{"name": "x", "datatype": datatype, "shape": [-1, -1]}]
    assert metadata["outputs"] == [{"name": "y", "datatype": datatype, "shape": [-1, -1]}]


@pytest.mark.parametrize("shape", [(1, 0), (1, 1), (3, 1), (1, 4096), (16, 16)])
@pytest.mark.parametrize("datatype", ["FP32", "BYTES"])
def test_shapes(client, datatype, shape):
    """Shapes from empty to thousands of elements"""
    array = np.arange(np.prod(shape)).reshape(shape)
    array = array.astype(np.float32) if datatype == "FP32" else array.astype(str).astype(np.object_)
    assert_same(client.infer(model_of(datatype), [input_of(array)]).as_numpy("y"), array)


def test_two_inputs(client):
    """Two inputs, one binary and one JSON, and one of two outputs"""
    a = np.array([[1, 2, 3]], np.float32)
    b = np.array([[10, 20, 30]], np.float32)
    inputs = [input_of(b, binary=False, name="b"), input_of(a, name="a")]
    result = client.infer("add", inputs, outputs=[http.InferRequestedOutput("product")])
    assert_same(result.as_numpy("product"), a * b)
    assert result.as_numpy("sum") is None


def test_mixed_outputs(client):
    """One output in binary form, one as JSON"""
    a = np.array([[1, 2, 3]], np.float32)
    outputs = [
        http.InferRequestedOutput("product", binary_data=True),
        http.InferRequestedOutput("sum", binary_data=False),
    ]
    result = client.infer("add", [input_of(a, name="a"), input_of(a, name="b")], outputs=outputs)
    assert_same(result.as_numpy("product"), a * a)
    assert_same(result.as_numpy("sum"), a + a)
    assert result.get_output("sum")["data"] == [2, 4, 6]


@pytest.mark.parametrize("version", ["", "1", "2"])
def test_versions(client, version):
    """A version of choice; without one the newest"""
    a = np.ones((1, 3), np.float32)
    inputs = [input_of(a, name="a"), input_of(a, name="b")]
    response = client.infer("add", inputs, model_version=version).get_response()
    assert response["model_name"] == "add"
    assert response["model_version"] == (version or "2")


def test_request_id(client):
    """The id of a request is echoed"""
    result = client.infer(model_of("INT8"), [input_of(SAMPLES["INT8"])], request_id="my-1")
    assert result.get_response()["id"] == "my-1"


@pytest.mark.parametrize("priority", [0, 1, 2, 7])
def test_schedule(client, priority):
    """Priority and timeout (microseconds) are accepted"""
    result = client.infer(
        model_of("INT8"), [input_of(SAMPLES["INT8"])], priority=priority, timeout=30_000_000
    )
    assert_same(result.as_numpy("y"), SAMPLES["INT8"])


def test_custom_parameters(client):
    """Parameters that only the caller knows do no harm"""
    own = {"trace": "a", "number": 1, "flag": True}
    result = client.infer(model_of("INT8"), [input_of(SAMPLES["INT8"])], parameters=own)
    assert_same(result.as_numpy("y"), SAMPLES["INT8"])


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
def test_classification(client, binary):
    """The best classes with value, index and label"""
    output = http.InferRequestedOutput("probabilities", binary_data=binary, class_count=3)
    scores = client.infer("digits", [input_of(DIGIT, name="image")]).as_numpy("probabilities")[0]
    result = client.infer("digits", [input_of(DIGIT, name="image")], outputs=[output])
    rows = result.as_numpy("probabilities")
    assert rows.shape == (1, 3)
    for found, index in zip(rows[0], np.argsort(-scores, kind="stable")):
        text = found.decode() if isinstance(found, bytes) else found
        value, at, label = text.split(":")
        assert (int(at), label) == (index, str(index))
        assert float(value) == pytest.approx(scores[index], abs=1e-5)


@pytest.mark.parametrize("answer", [None, "gzip", "deflate"])
@pytest.mark.parametrize("request_body", [None, "gzip", "deflate"])
@pytest.mark.parametrize("form", ["binary", "json"])
def test_compression(client, form, request_body, answer):
    """Compressed bodies, both ways"""
    array = np.tile(SAMPLES["FP32"], (1, 600))
    binary = form == "binary"
    result = client.infer(
        model_of("FP32"),
        [input_of(array, binary=binary)],
        outputs=[http.InferRequestedOutput("y", binary_data=binary)],
        request_compression_algorithm=request_body,
        response_compression_algorithm=answer,
    )
    assert_same(result.as_numpy("y"), array)


def test_asynchronous(client):
    """Many requests at a time, each with its own answer"""
    with http.InferenceServerClient(client._parsed_url.netloc, concurrency=16) as many:
        arrays = [np.full((1, 5), number, np.int32) for number in range(100)]
        calls = [many.async_infer(model_of("INT32"), [input_of(array)]) for array in arrays]
        for call, array in zip(calls, arrays):
            assert_same(call.get_result().as_numpy("y"), array)


def test_raw_body(client):
    """A body of elements alone: header length 0"""
    response = client._post(
        "v2/models/digits/infer",
        request_body=(DIGIT + 0.5).tobytes(),
        headers={"Inference-Header-Content-Length": "0"},
        query_params=None,
    )
    raise_for(response)
    assert http.InferResult(response, False).as_numpy("probabilities").shape == (1, 10)


def raise_for(response):
    if response.status_code != 200:
        raise InferenceServerException(json.loads(response.read())["error"])


def test_health(client):
    """Live, ready, and ready by model and version"""
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("add")
    assert client.is_model_ready("add", "2")
    assert not client.is_model_ready("add", "3")
    assert not client.is_model_ready("nobody")
    assert not client.is_model_ready("corrupt")


def test_server_metadata(client):
    """The server names itself and its extensions"""
    metadata = client.get_server_metadata()
    assert metadata["name"] == "quern"
    assert {"binary_tensor_data", "classification", "parameters"} <= set(metadata["extensions"])


@pytest.mark.parametrize(
    ("model", "array", "status"),
    [
        ("nobody", SAMPLES["FP32"], "404"),
        ("identity-fp32", SAMPLES["FP64"], "400"),
        ("identity-fp32", np.ones((2,), np.float32), "400"),
        ("identity-fp32", np.full((1, 2), np.nan, np.float32), "400"),
        ("gather", SAMPLES["FP32"], "400"),
    ],
    ids=["unknown model", "wrong datatype", "wrong rank", "NaN", "wrong name"],
)
def test_refusals(client, model, array, status):
    """What cannot be predicted is refused with a reason"""
    with pytest.raises(InferenceServerException) as refused:
        client.infer(model, [input_of(array)])
    assert refused.value.status() == status
    assert len(refused.value.message()) > 20


def test_failed_run(client):
    """A run that the model refuses is an error with the model's words"""
    index = np.array([99], np.int64)
    with pytest.raises(InferenceServerException, match="out of data bounds"):
        client.infer("gather", [input_of(index, name="index")])


def test_statistics(client):
    """Statistics count what was run"""
    before = client.get_inference_statistics("identity-uint8")["model_stats"][0]
    for _ in range(5):
        client.infer("identity-uint8", [input_of(SAMPLES["UINT8"])])
    after = client.get_inference_statistics("identity-uint8")["model_stats"][0]
    assert after["name"] == "identity-uint8"
    assert after["inference_count"] >= before["inference_count"]
    everything = client.get_inference_statistics()["model_stats"]
    assert {"digits", "add"} <= {entry["name"] for entry in everything}


def test_repository_index(client):
    """The index of the repository lists every version with its state"""
    index = client.get_model_repository_index()
    states = {(entry["name"], entry.get("version")): entry["state"] for entry in index}
    assert states["add", "1"] == states["add", "2"] == "READY"
    assert states["corrupt", "1"] == "UNAVAILABLE"


def test_load_and_unload(client):
    """A model is unloaded, refuses, and is loaded again"""
    client.unload_model("spare")
    assert not client.is_model_ready("spare")
    with pytest.raises(InferenceServerException, match="unloaded"):
        client.infer("spare", [input_of(SAMPLES["INT16"])])
    client.load_model("spare")
    assert client.is_model_ready("spare")
    array = SAMPLES["INT16"]
    assert_same(client.infer("spare", [input_of(array)]).as_numpy("y"), array)


def test_load_unknown(client):
    """A model that is not there cannot be loaded, and one that is broken says why"""
    with pytest.raises(InferenceServerException, match="nobody"):
        client.load_model("nobody")
    with pytest.raises(InferenceServerException, match="corrupt"):
        client.load_model("corrupt")
