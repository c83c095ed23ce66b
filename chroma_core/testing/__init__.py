"""The contracts as laws that any stage can be put through, and pictures to try it on.

``check_stage(MyStage())`` is the whole conformance test of a stage; every stage that chroma ships
passes it. The strategies are for property tests with Hypothesis, which is imported only when one of
them is called::

    @given(lightness_pictures())
    def test_law_flat_pictures_have_no_structure(lightness): ...
"""

from chroma_core.testing.laws import check_stage
from chroma_core.testing.pictures import (
    chromas,
    labs,
    lightness_pictures,
    rgbs,
    sample_pictures,
)

__all__ = ["check_stage", "chromas", "labs", "lightness_pictures", "rgbs", "sample_pictures"]
