"""How good samples, traces and facies images are, each with what real ones reach."""
