"""What differs between the settings of compared runs, each under its letter; what is equal folds away."""

from collections.abc import Mapping

import streamlit as st

from semidml.config import RunConfig, declared_knobs
from semidml.ui import pictures
from semidml.ui.words import entry_title, escape_markdown, knob_title, short_value

ABSENT = "–"  # in the place of a knob's value where it has no effect


def knob_rows(configs: Mapping[str, RunConfig]) -> dict[str, dict[str, str]]:
    """Of each knob that has an effect in one of these settings at least, its value in each, in words."""
    used = {letter: config.used() for letter, config in configs.items()}
    return {
        name: {
            letter: entry_title(name, short_value(getattr(config, name))) if name in used[letter] else ABSENT
            for letter, config in configs.items()
        }
        for name in declared_knobs()
        if any(name in names for names in used.values())
    }


def tell_apart(configs: Mapping[str, RunConfig]) -> dict[str, str]:
    """Of each setting that in which it differs from the others, for Markdown: `alpha 0.5 · seed 1`; "" of equal
    ones."""
    differing = {name: row for name, row in knob_rows(configs).items() if len(set(row.values())) > 1}
    return {
        letter: escape_markdown(
            " · ".join(
                row[letter] if name in ("model", "data") else f"{knob_title(name).lower()} {row[letter]}"
                for name, row in differing.items()
                if row[letter] != ABSENT
            )
        )
        for letter in configs
    }


def draw_settings(configs: Mapping[str, RunConfig]) -> None:
    """The knobs that differ, with their values, and folded those that are equal."""
    rows = knob_rows(configs)
    differing = {name: row for name, row in rows.items() if len(set(row.values())) > 1}
    st.header("What differs in the settings", anchor=False)
    if differing:
        pictures.draw_table([{"knob": knob_title(name)} | row for name, row in differing.items()])
    else:
        st.caption("Nothing: the same setting was trained more than once.")
    equal = [name for name in rows if name not in differing]
    if equal:
        count = f"{len(equal)} knobs are equal" if len(equal) > 1 else "One knob is equal"
        with st.expander(count, icon=":material/equal:"):
            first = next(iter(configs))
            pictures.draw_table([{"knob": knob_title(name), "all": rows[name][first]} for name in equal])
