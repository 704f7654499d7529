"""Ray Serve with @serve.batch: up to PEER_MAX_BATCH requests, 5 ms of waiting."""

import signal

import numpy as np
import ray
from onnx_model import MAX_BATCH, PORT, OnnxModel, answer, read_row
from ray import serve
from starlette.requests import Request


@serve.deployment(num_replicas=1, max_ongoing_requests=1024, ray_actor_options={"num_cpus": 0})
class Model:
    def __init__(self):
        self.model = OnnxModel()

    @serve.batch(max_batch_size=MAX_BATCH, batch_wait_timeout_s=0.005)
    async def run(self, rows):
        return list(self.model.run(np.stack(rows)))

    async def __call__(self, request: Request):
        return answer(await self.run(read_row(await request.json())))


if __name__ == "__main__":
    ray.init(include_dashboard=False, num_cpus=2, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": PORT})
    serve.run(Model.bind(), route_prefix="/predict")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    serve.shutdown()
    ray.shutdown()
