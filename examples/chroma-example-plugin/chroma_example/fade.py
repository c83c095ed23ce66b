"""Fade colour towards black and white, as colour film does."""

from dataclasses import dataclass

import numpy as np

from chroma_core.options import Options, option
from chroma_core.stages import Refiner


@dataclass(frozen=True, kw_only=True)
class FadeOptions(Options):
    """Settings of `FadeRefiner`."""

    shadows: float = option(10.0, "colour fades below this lightness", unit="L*", ge=0, lt=100)
    highlights: float = option(95.0, "colour fades above this lightness", unit="L*", gt=0, le=100)


class FadeRefiner(Refiner[FadeOptions]):
    """Scale a* and b* by a factor that falls to 0 at black and at white; hue and L* stay."""

    name = "fade"
    Options = FadeOptions

    def reach(self, scale):
        """Look at no neighbour."""
        return 0

    def refine(self, lab, scene):
        """Return `lab` with faded colours."""
        shadows, highlights = self.options.shadows, 100 - self.options.highlights
        factor = np.ones(scene.lightness.shape, dtype=lab.dtype)
        if shadows > 0:
            factor *= np.clip(scene.lightness, 0, shadows) / shadows
        if highlights > 0:
            factor *= np.clip(100 - scene.lightness, 0, highlights) / highlights
        return np.concatenate([lab[..., :1], lab[..., 1:] * factor[..., np.newaxis]], axis=-1)
