"""Which of a study's shipped files chapter and ledger read where they name none: the one that the study says."""

from pathlib import Path

import pytest

from geolib import studies
from geolib.runs import paths

EVERY = [*studies.NAMES, *studies.COMPANIONS]
ELSEWHERE = [name for name in EVERY if studies.get(name).shown != "paper"]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_another_file_than_the_papers_is_shown_only_while_it_has_more(name):
    study = studies.get(name)
    there, paper = studies.shipped(study), studies.shipped(study, "paper")
    assert there.config == studies.shipped(study, study.shown).config
    more = there.units.keys() - (paper.units.keys() if paper else ())
    assert more, f"{name}-paper.nc has all that is shown: drop `shown`, and name the other in the ledger"


@pytest.mark.parametrize("name", studies.NAMES)
def test_a_measure_without_a_name_in_front_is_of_the_file_that_is_shown(name):
    parts = {part.name: part for part in (studies.get(name), *studies.companions(name))}
    for measure, (_, file) in studies.shipped_sources(studies.get(name)).items():
        study, _, label = Path(file).stem.rpartition("-")
        fronts = {path.stem.rpartition("-")[2] for path in paths.results().glob(f"{study}-*.nc")}
        front = measure.partition(".")[0] if measure.partition(".")[0] in fronts else parts[study].shown
        assert front == label, (measure, file)


def test_units_of_the_file_that_is_shown_are_taken_unasked(tmp_path):
    study = studies.get("wgan_stopping")
    config = study.Config.stored(studies.shipped(study).config)
    assert config.precision == "bfloat16" != study.Config.preset("paper").precision
    found = studies.run(study, config, folder=tmp_path, reuse=study.at_hand, only_finished=True)
    assert list(found.units) == study.names(config)
