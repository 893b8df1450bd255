"""Networks and inference made fast on a CPU; each is proven against PyTorch's own."""
