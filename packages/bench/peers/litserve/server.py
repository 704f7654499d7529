"""LitServe with its batching: up to PEER_MAX_BATCH requests, 5 ms of waiting."""

import litserve as ls
import numpy as np
from onnx_model import MAX_BATCH, PORT, OnnxModel, answer, read_row


class Api(ls.LitAPI):
    def setup(self, device):
        self.model = OnnxModel()

    def decode_request(self, request):
        return read_row(request)

    def batch(self, inputs):
        return np.stack(inputs)

    def predict(self, batch):
        return self.model.run(batch)

    def unbatch(self, output):
        return list(output)

    def encode_response(self, output):
        return answer(output)


if __name__ == "__main__":
    api = Api(max_batch_size=MAX_BATCH, batch_timeout=0.005, api_path="/predict")
    server = ls.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=PORT, num_api_servers=1, generate_client_file=False, log_level="warning")
