"""Steers schemathesis to what exists: names and bodies at random seldom get past the first check."""

import copy
import random
from collections import deque

import schemathesis

DIGIT = [[[[0.5] * 8] * 8]]
INPUTS = {
    "digits": ("image", "FP32", [1, 1, 8, 8], DIGIT),
    "identity-fp32": ("x", "FP32", [1, 2], [[0.5, 1]]),
    "identity-int64": ("x", "INT64", [2, 1], [[1], [2**60]]),
    "identity-bytes": ("x", "BYTES", [1, 2], [["a", "ö"]]),
    "identity-bool": ("x", "BOOL", [1, 1], [[True]]),
    # Its table has ten rows: some runs fail.
    "gather": ("index", "INT64", [1], [3]),
}
ODD_VALUES = [None, True, -1, 0, 99, 2**70, 1e308, "", "x", "\x00", [], [[]], {}, {"a": 1}]

chance = random.Random(20_000)
ids = deque(["none"], maxlen=200)
files = deque(["none"], maxlen=50)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Leaves a third of the cases alone, and brings the others near to a valid request."""
    if chance.random() < 0.33:
        return
    # One model is there to be unloaded: what the others answer does not depend on it.
    model = chance.choice(list(INPUTS))
    if "/repository/" in case.path:
        model = "spare"
    known_ids = files if "/files" in case.path else ids
    known = {
        "model": model,
        "version": chance.choice(["1", "1", "2"]),
        "id": chance.choice(known_ids),
    }
    is_put = case.method == "PUT"
    for name in case.path_parameters or {}:
        if name in known and not (is_put and name == "id"):
            case.path_parameters[name] = known[name]
    if case.method in ("POST", "PUT") and isinstance(case.body, dict):
        body = valid_body(case.path, model)
        if body is not None:
            case.body = with_odd_value(body) if chance.random() < 0.6 else body


@schemathesis.hook
def after_call(context, case, response):
    """Remembers predictions and files, for the paths that read one."""
    kind = files if case.path == "/v1/files" else ids if "/predictions" in case.path else None
    if kind is not None and response.status_code in (200, 202):
        made = response.json() if response.content.startswith(b"{") else {}
        if isinstance(made.get("id"), str):
            kind.append(made["id"])


def valid_body(path, model):
    """A request that the model of the path accepts; None for bodies of other kinds."""
    name, datatype, shape, data = copy.deepcopy(INPUTS[model])
    tensor = {"name": name, "datatype": datatype, "shape": shape, "data": data}
    if path.endswith("/infer"):
        return {"inputs": [tensor]}
    if path.endswith("/predictions") or path.endswith("/predictions/{id}"):
        body = {"input": {name: data}}
        return body if "{model}" in path else {"model": model, **body}
    return None


def with_odd_value(body):
    """The body with something else at one place, from its top to its elements."""
    place, key = body, chance.choice(list(body))
    while isinstance(place[key], (dict, list)) and place[key] and chance.random() < 0.75:
        place = place[key]
        key = chance.choice(list(place)) if isinstance(place, dict) else chance.randrange(len(place))
    place[key] = chance.choice(ODD_VALUES)
    return body
