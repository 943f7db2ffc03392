"""Does it hold? The claims of both papers, each with a verdict by data set, its interval, and the runs behind it."""

import streamlit as st

from semidml.claims import evidence
from semidml.claims.grounds import GROUNDS
from semidml.claims.table import CLAIMS, GROUPS
from semidml.ui import claims, frame, links
from semidml.ui.words import as_code, escape_markdown

READS = ("claim", "data", "form")
FORMS = {"full": "Full", "quick": "Quick"}
ABOUT = (
    "Each claim is asked of pairs of runs with the same seed, images and seen labels. **Holds** and **fails** say that "
    "chance does not explain the difference and that it is as large as was asked for before; **no difference** that it "
    "is smaller for sure; **undecided** that these seeds do not tell. A bar is the interval of the mean difference, "
    "the grey band what was asked for."
)


def take_link() -> None:
    """The claim, the data set and the form that the link asks for; what there is none of is said."""
    state = st.session_state
    for name, known in (("claim", CLAIMS), ("data", GROUNDS), ("form", FORMS)):
        asked = links.asked_of_link(name, f"claims {name}")
        if asked is None:
            continue
        if asked in known:
            state[f"claims {name}"] = asked
        else:
            words = as_code(links.cut(asked))
            st.warning(f"There is no {name} called {words} here.", icon=":material/link_off:")


def choose_form(rows: list[evidence.Row]) -> bool:
    """Whether the quick form is shown: what the link or the visitor says, or what there is most evidence of."""
    state = st.session_state
    counts = {form: sum(row["form"] == form for row in rows) for form in FORMS}
    state.setdefault("claims form", max(counts, key=counts.get))

    def take() -> None:
        state["claims form"] = next(form for form, title in FORMS.items() if title == state["form box"])

    state["form box"] = FORMS[state["claims form"]]
    words = "Full: the papers' numbers of labels, both dimensions, ten seeds. Quick: minutes, with fewer of all."
    act = {"key": "form box", "required": True, "on_change": take}
    st.segmented_control("Form", list(FORMS.values()), help=words, **act)
    links.write_choice("form", "claims form", state["claims form"])
    return state["claims form"] == "quick"


def choose_group() -> str:
    """The group of claims that is shown."""
    state = st.session_state
    names = {name: group.title for name, group in GROUPS.items()}
    group = CLAIMS[state.get("claims claim", next(iter(CLAIMS)))].group

    def take() -> None:
        chosen = next(name for name, title in names.items() if title == state["group box"])
        state["claims claim"] = next(claim.name for claim in CLAIMS.values() if claim.group == chosen)
        links.write_choice("claim", "claims claim", state["claims claim"])

    state["group box"] = names[group]
    st.segmented_control("Claims", list(names.values()), key="group box", required=True, on_change=take)
    return group


def choose_claim(name: str, data: str) -> None:
    """Shows a claim on a data set, and says so in the link."""
    state = st.session_state
    for part, value in (("claim", name), ("data", data)):
        state[f"claims {part}"] = value
        links.write_choice(part, f"claims {part}", value)


frame.begin_page("Does it hold?", READS)
with frame.draw_bar("Does it hold?"):
    st.caption("The claims of both papers, with an error rate")
take_link()
try:
    rows = claims.read_rows()
except ValueError as error:
    st.error(f"The evidence cannot be read: {escape_markdown(str(error))}", icon=":material/error:")
    st.stop()
with st.container(horizontal=True, vertical_alignment="bottom"):
    group = choose_group()
    is_quick = choose_form(rows)
st.markdown(f"**{GROUPS[group].about}.** {ABOUT}")
findings = [finding for data in GROUNDS for finding in claims.judge_group(evidence.stamps(), group, data, is_quick)]
by_place = {(finding.claim.name, finding.data): finding for finding in findings}
first = next((place for place, one in by_place.items() if set(one.answers) != {"not run"}), next(iter(by_place)))
name = st.session_state.get("claims claim", first[0])
chosen = (name, st.session_state.get("claims data", first[1]))
pressed = claims.draw_answers(findings, chosen)
if pressed and pressed != chosen:
    choose_claim(*pressed)
    st.rerun()
with st.container(border=True):
    claims.draw_claim(by_place[chosen], is_quick)
    claims.draw_seeds(by_place[chosen], is_quick)
words = f"python -m semidml reproduce {chosen[0]} --data {chosen[1]}{' --quick' if is_quick else ''} --until-decided"
frame.draw_recipe(
    words,
    "from semidml.claims import evidence\nfrom semidml.claims.table import CLAIMS\n\n"
    f"rows, claims = evidence.known_rows(), [CLAIMS[{chosen[0]!r}]]\n"
    f"for finding in evidence.judge_claims(rows, claims, {chosen[1]!r}, quick={is_quick}):\n"
    "    for setting, verdict in finding.verdicts.items():\n        print(setting, verdict.words())",
    linked=True,
)
