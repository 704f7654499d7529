"""Triton Inference Server as nvidia-pytriton brings it, with dynamic batching."""

import numpy as np
from onnx_model import MAX_BATCH, PORT, OnnxModel
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

model = OnnxModel()


@batch
def run(**inputs: np.ndarray):
    return {model.output.name: model.run(inputs[model.input.name])}


if __name__ == "__main__":
    config = TritonConfig(
        http_address="127.0.0.1", http_port=PORT, grpc_port=PORT + 1, metrics_port=PORT + 2, log_verbose=0
    )
    with Triton(config=config) as triton:
        triton.bind(
            model_name="model",
            infer_func=run,
            inputs=[Tensor(name=model.input.name, dtype=np.float32, shape=tuple(model.input.shape[1:]))],
            outputs=[Tensor(name=model.output.name, dtype=np.float32, shape=tuple(model.output.shape[1:]))],
            config=ModelConfig(
                max_batch_size=MAX_BATCH,
                batcher=DynamicBatcher(max_queue_delay_microseconds=5000),
            ),
            strict=False,
        )
        triton.serve()
