"""Model folders: save, load, find.

A model folder holds ``model.json`` (which stages with which versions and options, at which size of
the work picture, trained how), one safetensors file for each net, and a card for people,
``README.md``. Stages say what their weights are called and what shape they have; this module alone
reads and writes them. Loading runs no code of the model: stage names go through the plugin
registry, and names of files follow from the stages.
"""

from chroma_core.models.card import write_card
from chroma_core.models.find import ModelInfo, find_model, list_models, model_for, model_info
from chroma_core.models.folder import Model, add_metrics, load_model, save_model

__all__ = [
    "Model",
    "ModelInfo",
    "add_metrics",
    "find_model",
    "list_models",
    "load_model",
    "model_for",
    "model_info",
    "save_model",
    "write_card",
]
