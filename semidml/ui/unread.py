"""What of a link no page reads, or not this one."""

from collections.abc import Collection

import streamlit as st

from semidml.config import declared_knobs
from semidml.ui.words import as_code

CHOICES = ("run", "runs", "sweep", "score", "cell", "columns", "rows", "seeds")  # parts of a link that are no knobs
CHOICES += ("colour", "plane", "layers", "epoch", "point", "place", "region", "line", "section", "moved")  # of Explore
CHOICES += ("view", "filter", "hidden")  # of a map
CHOICES += ("search", "where", "tag", "sort", "claim", "form")  # of Runs, of Does it hold?
CHOICES += ("flown", "decoder", "said", "start", "knob", "to", "answer")  # of Compare, The prior, lessons
MOST_NAMED = 3  # parts that are told one by one


def say_unread(reads: Collection[str]) -> None:
    """Says which parts of the address this page does not read, and which are there more than once. Knobs that it reads
    are `read_link`'s."""
    known = set(declared_knobs())
    unread = [name for name in st.query_params if name not in reads]
    unknown, foreign = ([n for n in unread if (n in known or n in CHOICES) == is_known] for is_known in (False, True))
    sentences = [f"No page reads this part of the link: {_listed(unknown)}. It changes nothing."] if unknown else []
    if foreign:
        sentences.append(f"This part of the link is for another page: {_listed(foreign)}. It changes nothing here.")
    single = set(reads) - known if known <= set(reads) else reads
    sentences += [f"{sentence[:1].upper()}{sentence[1:]}." for sentence in list_repeated(single)]
    for sentence in sentences:
        st.warning(sentence, icon=":material/link_off:")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return ", ".join(map(as_code, names[:MOST_NAMED])) + more


def list_repeated(names: Collection[str]) -> list[str]:
    """What to say of these parts of the address that are there more than once."""
    counts = {name: len(st.query_params.get_all(name)) for name in st.query_params if name in names}
    return [f"the link has `{name}` {n:,} times, and the last one counts" for name, n in counts.items() if n > 1]
