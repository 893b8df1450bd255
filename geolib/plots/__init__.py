"""Figures: functions of arrays and axes, in one style that is safe for colour-blind readers and legible on paper."""

from geolib.plots.style import COLORS, new_figure, use_style

__all__ = ["COLORS", "new_figure", "use_style"]
