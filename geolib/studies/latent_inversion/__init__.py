"""Laloy et al. (2019), inversion in a generator's latent space."""
