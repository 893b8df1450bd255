"""Li and Ortiz (2022), Generative Adversarial Network 101."""
