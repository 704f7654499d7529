"""mosec with its dynamic batching: up to PEER_MAX_BATCH requests, 5 ms of waiting."""

import sys

import numpy as np
from mosec import Server, Worker
from onnx_model import MAX_BATCH, PORT, OnnxModel, answer, read_row


class Model(Worker):
    def __init__(self):
        super().__init__()
        self.model = OnnxModel()

    def forward(self, data):
        rows = np.stack([read_row(body) for body in data])
        return [answer(row) for row in self.model.run(rows)]


if __name__ == "__main__":
    sys.argv += ["--address", "127.0.0.1", "--port", str(PORT)]
    server = Server()
    server.append_worker(Model, num=1, max_batch_size=MAX_BATCH, max_wait_time=5)
    server.run()
