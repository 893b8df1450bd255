"""Generative adversarial networks: architectures, losses, one training loop, quality metrics."""
