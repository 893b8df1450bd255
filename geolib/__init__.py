"""Reproducible companion to four papers on adversarial networks and wave-equation inversion.

The package does the computing of a book: `geolib.waves` propagates seismic waves, `geolib.gans` trains generators,
`geolib.inversion` fits models to data, and `geolib.studies` holds one package for each paper.
Importing `geolib` loads none of them.
"""

__version__ = "0.1.0"
