"""What tests of figures share."""

import matplotlib.pyplot as plt
import pytest


@pytest.fixture
def closed():
    yield
    plt.close("all")


def texts(figure):
    return [text.get_text() for axis in figure.axes for text in axis.texts]
