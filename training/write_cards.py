"""Write what was measured, and what they were trained on, into the cards of the shipped models.

::

    python training/write_cards.py MODEL_FOLDER EVALUATION.json [LOG.csv...]

EVALUATION.json is what ``chroma evaluate … --json`` printed for this model; the logs are those of
``unet/train_with_torch.py``, in order; the last becomes the model's history. The weights stay as
they are: the folder is written anew with a longer record, and its card follows from the record.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

from chroma_core.evaluation.report import in_words
from chroma_core.models import load_model, save_model
from chroma_core.plugins import find_stage
from chroma_core.training.curves import curves_png, history_csv

SOURCES = Path(__file__).with_name("sources.json")

SUMMARY = {
    "sift-dense": (
        "The seed design: dense SIFT at four cell sizes, as RootSIFT, and L*, into two nets of ten "
        "fully connected layers of 128 sigmoid units, one for a* and one for b*."
    ),
    "local-dense": (
        "Dense nets on all local descriptors at hand: what sift-dense sees, and beside it blurred "
        "lightness, the place in the picture, and a coarse view of the whole picture. On held-out "
        "pictures of its sources it is as good as sift-dense, on other sources a little worse."
    ),
    "semantic-dense": (
        "Deep Colorization's recipe: what EfficientNet-Lite0, a network that knows 1,000 kinds of "
        "things, sees at each place, beside blurred lightness and position, into two nets of ten "
        "fully connected layers of 128 sigmoid units. 128 nodes a picture."
    ),
    "unet": (
        "A network that looks at the whole picture: EfficientNet-Lite0, tuned, with a decoder to a "
        "quarter of the picture's size, answering with a distribution over 225 colours. Trained "
        "with the wear of old photographs: grain, fading, blur, stains, scratches, JPEG."
    ),
}
INTENDED_USE = (
    "Colouring gray photographs where muted, plausible colour is wanted: skies, water, foliage, "
    "stone, skin in daylight. To be looked at by a person."
)
LIMITS = (
    "Local descriptors do not know what an object is: painted things, clothes and flowers come out "
    "brownish or gray, red is hardly ever dared, overcast skies may turn beige, and indoor scenes "
    "lean to brown. Colours are invented, not found: never take them for evidence."
)
SEMANTIC_LIMITS = (
    "Colour is calm, about half as strong as a photograph's. Painted things, clothes and flowers "
    "are guessed or stay dull; old prints get warm brown or magenta walls and pale green borders. "
    "No wear of old scans was trained. Colours are invented, not found: never take them for "
    "evidence."
)


UNET_LIMITS = (
    "Painted things, clothes and flowers are guessed; where several colours are likely, patches of "
    "one may stand in another, red most of all. By default chroma fades where the network is not "
    "sure (--certainty 0 shows all it has). Colours are invented, not found: never take them for "
    "evidence."
)
RUNS_ANYWHERE = {"unet": "onnx"}
"""Regressors that need no TensorFlow, where it is not ``dense``."""


def main(folder: Path, evaluation: Path, logs: list[Path]) -> None:
    """Write the model folder anew with a full record."""
    name = json.loads((folder / "model.json").read_text(encoding="utf-8"))["name"]
    model = load_model(folder, regressor=RUNS_ANYWHERE.get(name, "dense"))
    found = json.loads(evaluation.read_text(encoding="utf-8"))
    record: dict[str, Any] = dict(model.record)
    extracted = record.pop("extraction", None) or record["data"]
    record["extraction"] = extracted
    record["data"] = json.loads(SOURCES.read_text(encoding="utf-8"))
    record["summary"] = SUMMARY[model.name]
    record["intended_use"] = INTENDED_USE
    limits = {"semantic-dense": SEMANTIC_LIMITS, "unet": UNET_LIMITS}
    record["limits"] = limits.get(name, LIMITS)
    history = _history(logs[-1]) if logs else []
    record["commands"] = ["training/shipped_models.sh PHOTOS OUT EVALUATION"]
    # Where logs went and how many threads ran does not belong to a model.
    of_the_run = ("log_dir", "threads", "start", "parts")
    record["options"] = {
        key: text for key, text in record["options"].items() if key not in of_the_run
    }
    if history:
        record["training"] = record["training"] | {
            "epochs": round(sum(_history(log)[-1]["epoch"] for log in logs), 2)
        }
        record["options"] = {
            f"{log.parent.name}.{key}": str(value)
            for log in logs
            for key, value in json.loads(log.with_name("options.json").read_text()).items()
            if key != "threads" and value is not None
        }
    metrics = {key: fact for key, fact in record["metrics"].items() if "variance" in key}
    for part in found["sets"]:
        metrics[part["name"]] = in_words(part)
    record["metrics"] = metrics
    trained = json.loads((folder / "model.json").read_text(encoding="utf-8"))["regressor"]["name"]
    others = {name: (folder / name).read_bytes() for name in ("history.csv", "learning-curve.png")}
    regressor = find_stage("regressor", trained)(model.regressor.options)
    save_model(
        folder,
        colorspace=model.colorspace,
        features=model.features,
        regressor=regressor.with_weights(model.regressor.weights()),  # type: ignore[arg-type]
        work_size=model.work_size,
        name=model.name,
        refiners=model.refiners,
        record=record,
        licence="Apache-2.0",
        overwrite=True,
    )
    if history:
        others = {
            "history.csv": history_csv(history),
            "learning-curve.png": curves_png(history, model.name),
        }
    for name, data in others.items():
        (folder / name).write_bytes(data)


def _history(log: Path) -> list[dict[str, float]]:
    with log.open(newline="", encoding="utf-8") as file:
        return [
            {
                "epoch": float(row["epoch"]),
                "loss": float(row["loss"]),
                "validation_loss": float(row["validation loss"]),
            }
            for row in csv.DictReader(file)
        ]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
