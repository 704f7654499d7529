"""Sends PEER_COUNT tasks with the body on standard input; prints when the first and the last were sent."""

import json
import os
import sys

from tasks import predict

tensor = json.load(sys.stdin)["inputs"][0]
with predict.app.connection_for_write() as connection:
    for _ in range(int(os.environ["PEER_COUNT"])):
        predict.apply_async((tensor["data"], tensor["shape"]), connection=connection)
