"""Each preset is a setting that can be trained, and says what it shows."""

import pytest

from semidml import presets

EVERY = {preset.title: preset for preset in (*presets.START, *presets.MIXTURES)}


@pytest.mark.parametrize("title", EVERY)
def test_a_preset_makes_a_config(title):
    preset = EVERY[title]
    mixture = {"model": "dml-prior"} if preset in presets.MIXTURES else {}
    config = preset.config(**mixture)
    assert all(getattr(config, name) == value for name, value in preset.values.items())
    assert set(preset.values) <= config.used()
    assert len(preset.words) > 40
