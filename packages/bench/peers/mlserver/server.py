"""Writes MLServer's two settings files into a folder of this run, and starts it there."""

import json
import os
import sys
from pathlib import Path

MAX_BATCH = int(os.environ["PEER_MAX_BATCH"])
PORT = int(os.environ["PEER_PORT"])
folder = Path(os.environ["PEER_FOLDER"])

(folder / "settings.json").write_text(
    json.dumps(
        {
            "host": "127.0.0.1",
            "http_port": PORT,
            "grpc_port": PORT + 1,
            "metrics_port": PORT + 2,
            "parallel_workers": 1,
            "debug": False,
            "use_structured_logging": False,
        }
    )
)
(folder / "model-settings.json").write_text(
    json.dumps(
        {
            "name": "model",
            "implementation": "runtime.OnnxRuntime",
            "max_batch_size": MAX_BATCH,
            "max_batch_time": 0.005,
        }
    )
)
bin_folder = Path(sys.executable).parent
os.execv(bin_folder / "mlserver", ["mlserver", "start", str(folder)])
