"""Public data files, velocity models, channel images, patches."""
