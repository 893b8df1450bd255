"""The acoustic wave equation in one and two dimensions, forward and adjoint."""
