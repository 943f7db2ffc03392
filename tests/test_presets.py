"""Each preset is a setting that can be trained, and says what it shows."""

import pytest

from semidml import presets
from semidml.config import RunConfig

EVERY = {preset.title: preset for preset in (*presets.START, *presets.MIXTURES)}
EVERY |= {f"{preset.title} (clusters)": preset for preset in presets.CLUSTERS}


@pytest.mark.parametrize("title", EVERY)
def test_a_preset_makes_a_config(title):
    preset = EVERY[title]
    mixture = {"model": "dml-prior"} if preset in presets.MIXTURES else {}
    config = preset.config(**mixture)
    assert all(getattr(config, name) == value for name, value in preset.values.items())
    assert set(preset.values) <= config.used()
    assert len(preset.words) > 40


@pytest.mark.parametrize("data", ["digits", "mnist"])
@pytest.mark.parametrize("preset", presets.CLUSTERS, ids=lambda preset: preset.title)
def test_a_preset_of_clusters_takes_as_many_times_the_usual_epochs_as_it_says(preset, data):
    usual = RunConfig.of({**preset.values, "data": data}).epochs
    made = RunConfig.of(preset.on(data))
    assert made.epochs == round(preset.times * usual) and made.data == data
    assert all(getattr(made, name) == value for name, value in preset.values.items())


def test_photographs_on_a_visitors_own_images_is_the_setting_that_was_measured():
    (photographs,) = (preset for preset in presets.CLUSTERS if preset.title == "Photographs")
    assert RunConfig.of(photographs.on("cars.zip")).epochs == 36
