"""The glossary: every word that a page shows of a score or a knob is explained, known once, and leads to others."""

import re

import pytest

from semidml.config import FAMILIES, declared_knobs
from semidml.glossary import WORDS
from semidml.scatter import bundle
from semidml.scores.table import RAW, SCORES
from semidml.ui.glossary import KINDS, explained, find_score
from tests.apptest import opened, sent_to, words

ENTRIES = {entry["name"]: entry for entry in explained()}
PLAIN = {"score-seconds"}  # which needs no word of the field


@pytest.mark.parametrize("name", SCORES)
def test_every_score_is_explained_by_its_own_words(name: str) -> None:
    entry, score = ENTRIES[find_score(name)], SCORES[name]
    assert score.title.startswith(entry["title"]), "its own, or that of the score which it comes with"
    assert score.summary == entry["meaning"] or score.is_scatter or score.name.endswith(RAW)
    assert entry["see"] or entry["name"] in PLAIN, "the words that it uses are explained too"


@pytest.mark.parametrize("name", declared_knobs())
def test_every_knob_is_explained_by_its_help(name: str) -> None:
    assert ENTRIES[f"knob-{name}"]["meaning"].lower() == f"{declared_knobs()[name].help.lower()}."


@pytest.mark.parametrize(("family", "name"), [(family, name) for family in KINDS for name in FAMILIES[family]])
def test_every_loss_prior_and_network_is_explained(family: str, name: str) -> None:
    entry = FAMILIES[family][name]
    explained_entry = ENTRIES[f"{family}-{name}"]
    assert explained_entry["title"] == entry.title and entry.paper in explained_entry["meaning"]


def test_words_are_known_once_short_and_lead_to_others() -> None:
    assert len(ENTRIES) == len(explained())
    forms = [form.lower() for word in WORDS for form in (word.title, *word.also)]
    assert len(forms) == len(set(forms)), sorted(form for form in forms if forms.count(form) > 1)
    for word in WORDS:
        assert len(word.meaning.split()) <= 35 and re.search(r"[.?)]$", word.meaning), word.title
    for entry in ENTRIES.values():
        assert set(entry["see"]) <= set(ENTRIES) - {entry["name"]}


def test_every_page_has_it_and_a_link_opens_it_at_a_word() -> None:
    app = opened("pages/3_Data.py", word="nats")
    (glossary,) = sent_to(app, bundle.GLOSSARY)
    assert glossary["open"] == {"word": "nats", "number": 1} and len(glossary["words"]) == len(ENTRIES)
    assert "word" not in app.query_params and "not read" not in words(app)
    (again,) = sent_to(app.run(), bundle.GLOSSARY)
    assert again["open"] == glossary["open"], "which opens it no second time"
    assert sent_to(opened(), bundle.GLOSSARY)[0]["open"] is None
