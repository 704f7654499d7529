"""The HTTP API in front of Celery: a thread waits for each result, as Celery's documentation does."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from tasks import app as celery_app
from tasks import predict

import os

threads = ThreadPoolExecutor(max_workers=256)


def wait(data, shape):
    return predict.delay(data, shape).get(timeout=60)


async def handle(request):
    tensor = (await request.json())["inputs"][0]
    loop = asyncio.get_running_loop()
    output = await loop.run_in_executor(threads, wait, tensor["data"], tensor["shape"])
    return JSONResponse({"outputs": output})


app = Starlette(routes=[Route("/predict", handle, methods=["POST"])])

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PEER_PORT"]), log_level="warning")
