"""What this distribution offers to chroma."""

from chroma_core.plugins import hookimpl
from chroma_example.fade import FadeRefiner
from chroma_example.structure import StructureFeatures


@hookimpl
def chroma_stages():
    """Return the stage classes."""
    return [StructureFeatures, FadeRefiner]
