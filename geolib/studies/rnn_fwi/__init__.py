"""Sun et al. (2020), full-waveform inversion as a recurrent network."""
