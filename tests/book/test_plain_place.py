"""A checkout whose path reads as a pattern is built from a place with a plain path."""

import pytest

from geolib.book import build


@pytest.mark.parametrize("name", ["br[1]", "cu{r}ly", "st*r"])
def test_a_path_that_reads_as_a_pattern_is_not_seen_by_sphinx(name, tmp_path):
    root = tmp_path / name
    for folder in ("book/papers", "book/results", "geolib"):
        (root / folder).mkdir(parents=True)
    (root / "book" / "papers" / "a.ipynb").write_text("page")
    (root / "_config.yml").write_text("title: x")
    with build._plain_place(root) as place:
        assert not set("[]{}*?") & set(str(place.resolve()))
        assert (place / "book" / "papers" / "a.ipynb").read_text() == "page"
        assert not set("[]{}*?") & set(str((place / "book").resolve()))
        (place / "_build" / "index.html").write_text("built")
        assert (place / "_config.yml").is_file() and not (place / "book" / "results").exists()
    assert (root / "_build" / "index.html").read_text() == "built"


def test_a_plain_path_is_its_own_place(tmp_path):
    with build._plain_place(tmp_path) as place:
        assert place == tmp_path
