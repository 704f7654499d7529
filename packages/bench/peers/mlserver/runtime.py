"""MLServer with adaptive batching (set in model-settings.json) and a runtime of its own for ONNX."""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from onnx_model import OnnxModel


class OnnxRuntime(MLModel):
    async def load(self) -> bool:
        self.model = OnnxModel()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        rows = NumpyCodec.decode_input(payload.inputs[0])
        output = self.model.run(rows.astype("float32"))
        return InferenceResponse(
            model_name=self.name, outputs=[NumpyCodec.encode_output("output", output)]
        )
