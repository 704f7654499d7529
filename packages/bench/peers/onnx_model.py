"""What every Python peer shares: the model file, one thread, and the body that all are sent."""

import os

import numpy as np
import onnxruntime

MAX_BATCH = int(os.environ["PEER_MAX_BATCH"])
PORT = int(os.environ["PEER_PORT"])


class OnnxModel:
    """A session with one thread; one FP32 input, one FP32 output, the batch axis first."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            os.environ["PEER_MODEL"], options, providers=["CPUExecutionProvider"]
        )
        self.input = self._session.get_inputs()[0]
        self.output = self._session.get_outputs()[0]

    def run(self, rows: np.ndarray) -> np.ndarray:
        return self._session.run([self.output.name], {self.input.name: rows})[0]


def read_row(body: dict) -> np.ndarray:
    """The one row of an Open Inference Protocol body, without its batch axis."""
    tensor = body["inputs"][0]
    return np.asarray(tensor["data"], dtype=np.float32).reshape(tensor["shape"][1:])


def answer(row: np.ndarray) -> dict:
    """One row of the output, as an Open Inference Protocol body."""
    return {
        "outputs": [
            {
                "name": "output",
                "datatype": "FP32",
                "shape": [1, *row.shape],
                "data": row.ravel().tolist(),
            }
        ]
    }
