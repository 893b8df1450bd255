"""The words that options of the inversion may be, known without loading what they choose among."""

#: Descents (`geolib.inversion.descent`): of steps of a given rate, and by line searches of scipy.
STEP_METHODS = ("gd", "momentum", "momentum_b", "adagrad", "rmsprop", "adam")
SEARCH_METHODS = ("cg", "lbfgs", "tnc")
METHODS = STEP_METHODS + SEARCH_METHODS

#: In which order a ray matrix numbers the cells (`geolib.inversion.crosshole`).
CELL_ORDERS = ("consistent", "as_published")

#: What becomes of latents that leave their box (`geolib.inversion.latent`).
CLIPPING = ("stochastic", "standard", "none", "released")
