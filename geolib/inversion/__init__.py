"""Inversion: optimisers, Gauss-Newton, DREAM(ZS) and the search in a generator's latent space."""
