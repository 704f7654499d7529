"""Celery over the same Redis: one task for each prediction, one worker process with the model."""

import os

import numpy as np
from celery import Celery
from celery.signals import worker_process_init

app = Celery("tasks", broker=os.environ["PEER_REDIS_URL"], backend=os.environ["PEER_REDIS_URL"])
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=64,
    result_expires=3600,
    broker_connection_retry_on_startup=True,
)
model = None


@worker_process_init.connect
def load(**_):
    global model
    from onnx_model import OnnxModel

    model = OnnxModel()


@app.task
def predict(data, shape):
    rows = np.asarray(data, dtype=np.float32).reshape(shape)
    return model.run(rows).tolist()
