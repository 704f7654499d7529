"""BentoML with adaptive batching, one worker for the model."""

from __future__ import annotations

import bentoml
import numpy as np
from onnx_model import MAX_BATCH, OnnxModel, answer, read_row


@bentoml.service(workers=1, traffic={"timeout": 60})
class Model:
    def __init__(self) -> None:
        self.model = OnnxModel()

    @bentoml.api(batchable=True, max_batch_size=MAX_BATCH, max_latency_ms=10000)
    def run(self, rows: list[list[float]]) -> list[list[float]]:
        shape = [dimension for dimension in self.model.input.shape[1:]]
        batch = np.asarray(rows, dtype=np.float32).reshape(-1, *shape)
        return self.model.run(batch).tolist()


@bentoml.service(workers=1, traffic={"timeout": 60, "max_concurrency": 1024})
class Api:
    model = bentoml.depends(Model)

    @bentoml.api(route="/predict")
    async def predict(self, inputs: list[dict]) -> dict:
        row = read_row({"inputs": inputs}).ravel().tolist()
        output = await self.model.to_async.run([row])
        return answer(np.asarray(output[0], dtype=np.float32))
