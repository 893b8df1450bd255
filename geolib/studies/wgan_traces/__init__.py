"""Niu et al. (2020), seismic traces from a Wasserstein GAN."""
