import matplotlib
import pytest


@pytest.fixture(autouse=True)
def unstyled():
    """Every test draws in matplotlib's own style, whatever another test of the process has set."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield
