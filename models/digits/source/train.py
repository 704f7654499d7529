"""Trains the digits classifier and writes model.onnx, labels.txt and the samples.

Usage: python train.py [OUTPUT_DIR]     (default: the model's own folder)

Everything is seeded: the same package versions on the same kind of CPU give
the same weights up to floating-point rounding.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F

SEED = 20240501
EPOCHS = 60
BATCH = 64


class DigitsNet(nn.Module):
    """Two 3x3 convolutions, one pooling step, two dense layers; returns logits."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc1 = nn.Linear(32 * 4 * 4, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, image):
        x = F.relu(self.conv1(image / 16))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.dropout(x.flatten(1), 0.3, self.training)
        x = F.dropout(F.relu(self.fc1(x)), 0.3, self.training)
        return self.fc2(x)


def shifted(images, generator):
    """Moves each image by -1, 0 or +1 pixels in both directions (zero fill)."""
    padded = F.pad(images, (1, 1, 1, 1))
    out = torch.empty_like(images)
    offsets = torch.randint(0, 3, (len(images), 2), generator=generator)
    for i, (dy, dx) in enumerate(offsets.tolist()):
        out[i] = padded[i, :, dy : dy + 8, dx : dx + 8]
    return out


def train(images, targets):
    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    net = DigitsNet()
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-3)
    steps = EPOCHS * -(-len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=steps)
    net.train()
    for _ in range(EPOCHS):
        order = torch.randperm(len(images), generator=generator)
        for batch in order.split(BATCH):
            loss = F.cross_entropy(net(shifted(images[batch], generator)), targets[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def to_onnx(net):
    """Writes the graph node by node, so that names and shapes stay readable."""
    weights = [
        numpy_helper.from_array(value.detach().numpy().astype(np.float32), name)
        for name, value in net.state_dict().items()
    ]
    weights.append(numpy_helper.from_array(np.array(16, np.float32), "max_pixel"))
    conv = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Div", ["image", "max_pixel"], ["scaled"], "scale"),
        helper.make_node("Conv", ["scaled", "conv1.weight", "conv1.bias"], ["c1"], "conv1", **conv),
        helper.make_node("Relu", ["c1"], ["r1"], "relu1"),
        helper.make_node("Conv", ["r1", "conv2.weight", "conv2.bias"], ["c2"], "conv2", **conv),
        helper.make_node("Relu", ["c2"], ["r2"], "relu2"),
        helper.make_node("MaxPool", ["r2"], ["p2"], "pool2", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p2"], ["flat"], "flatten", axis=1),
        helper.make_node("Gemm", ["flat", "fc1.weight", "fc1.bias"], ["f1"], "fc1", transB=1),
        helper.make_node("Relu", ["f1"], ["r3"], "relu3"),
        helper.make_node("Gemm", ["r3", "fc2.weight", "fc2.bias"], ["logits"], "fc2", transB=1),
        helper.make_node("Softmax", ["logits"], ["probabilities"], "softmax", axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 10])],
        weights,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="digits-train"
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def write_sample(path, description, image, probabilities):
    sample = {
        "description": description,
        "input": {"image": image.astype(int).tolist()},
        "expected": {"probabilities": [[float(f"{v:.6g}") for v in row] for row in probabilities.tolist()]},
        "tolerance": 1e-4,
    }
    path.write_text(json.dumps(sample, separators=(",", ":")) + "\n", encoding="utf-8")


def main():
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    (out / "1").mkdir(parents=True, exist_ok=True)
    (out / "samples").mkdir(parents=True, exist_ok=True)

    digits = load_digits()
    images = digits.images.astype(np.float32)[:, None]
    targets = digits.target.astype(np.int64)
    train_rows, test_rows = train_test_split(
        np.arange(len(targets)), test_size=0.25, stratify=targets, random_state=SEED
    )
    net = train(torch.from_numpy(images[train_rows]), torch.from_numpy(targets[train_rows]))

    model_path = out / "1" / "model.onnx"
    onnx.save(to_onnx(net), model_path)
    (out / "labels.txt").write_text("".join(f"{d}\n" for d in range(10)), encoding="utf-8")

    session = ort.InferenceSession(str(model_path), providers=["CPUExecutionProvider"])
    answer = session.run(["probabilities"], {"image": images[test_rows]})[0]
    with torch.no_grad():
        reference = torch.softmax(net(torch.from_numpy(images[test_rows])), 1).numpy()
    truth = targets[test_rows]
    right = answer.argmax(1) == truth
    print(f"rows: {len(train_rows)} for training, {len(test_rows)} held out")
    print(f"held-out accuracy: {right.mean():.4f} ({right.sum()} of {len(right)})")
    print("held-out log loss: %.4f" % -np.log(answer[np.arange(len(truth)), truth]).mean())
    print("largest difference between PyTorch and ONNX Runtime: %.2e" % np.abs(answer - reference).max())

    # Samples: held-out rows that the model answers correctly.
    def pick(digit):
        return next(i for i in range(len(truth)) if truth[i] == digit and right[i])

    def answer_for(rows):
        return session.run(["probabilities"], {"image": images[test_rows[rows]]})[0]

    for digit, name in ((3, "three"), (7, "seven"), (8, "eight")):
        rows = [pick(digit)]
        write_sample(
            out / "samples" / f"{name}.json",
            f"One held-out image, row {test_rows[rows[0]]} of the data; true label: {digit}.",
            images[test_rows[rows]],
            answer_for(rows),
        )
    rows = [pick(d) for d in (0, 1, 2, 4, 5, 6, 9)]
    write_sample(
        out / "samples" / "batch-of-seven.json",
        "Seven held-out images, rows %s of the data; true labels in order: 0, 1, 2, 4, 5, 6, 9."
        % ", ".join(str(test_rows[i]) for i in rows),
        images[test_rows[rows]],
        answer_for(rows),
    )


if __name__ == "__main__":
    main()
