"""Clustering without labels: what images and their twins teach a network, and what labels would be worth."""

import streamlit as st

from semidml.config import declared_knobs
from semidml.ui import clusters, frame, labels_worth, runs

frame.begin_page("Clustering without labels", ["run", *runs.PARTS, *declared_knobs()])
bar = frame.draw_bar("Clustering without labels")
head = st.container(horizontal=True, vertical_alignment="center")
head.container(key="about").caption(
    "No label at all: a network sees each image and a **twin** of it, turned and shifted, or cropped and recoloured, "
    "at random. It pulls the two together, pushes the images of other **clusters** away, and finds the clusters "
    "itself. How much of the classes does it find?"
)
with head, st.popover("The maths", icon=":material/function:"):
    st.latex(
        r"\mathcal L = w_m \mathcal L_m + w_c \left[ H(Y|X) - \mu H(Y) + R \right] + w_r \mathcal L_{rec}"
        r" + w_t \mathcal L_{twins}"
    )
    st.latex(
        r"\mathcal L_m = -\frac 1 n \sum_i \left[ \ln \frac{e^{f_i \cdot f_{i'} / T}}"
        r"{\sum_{u \ne c_i} e^{f_i \cdot g_u / T}}"
        r" + \sum_{u \ne c_i} \ln (1 - P_{iu}) \right], \quad"
        r" P_{iu} = \frac{e^{f_i \cdot g_u / T}}{\sum_v e^{f_i \cdot g_v / T}}"
    )
    st.markdown(
        "$f_i$: embedding of image $i$, of length 1; $i'$: its twin; $g_u$: embedding of the centroid of cluster $u$; "
        "$c_i$: the image's cluster; $T$: temperature. $H(Y)$: entropy of all images' clusters together, $H(Y|X)$ that "
        "of one image's; $R$: squares of the clustering head's weights. $\\mathcal L_{rec}$: squared error of each "
        "image drawn from its cluster's centroid. $\\mathcal L_{twins}$: cross-entropy of the clusters of an image and "
        "of its twin, which asks for the same one; not in the paper, and off unless its knob *twins weight*, $w_t$, is "
        "raised.  \n"
        "The knob *own centroid*: *spared*, the default, leaves $c_i$ out of the sum under $f_i$ and its twin, as "
        "above; *counted* takes it in, which pushes an image from its own cluster too.  \n"
        "The knob *formulas*: *paper*, the default, is as above; *authors' program* has $H(Y|X) / \\ln n + 1 - \\mu "
        "H(Y) / \\ln K$ of numbers scaled to length 1, and no $R$; other knobs then start from what that program sets "
        "them to, and each can be set back.  \n"
        "[Nguyen et al., BMVC 2020](https://arxiv.org/abs/2009.04091) · "
        "[Ye et al. 2019](https://arxiv.org/abs/1904.03436) · "
        "[Gomes et al. 2010](https://papers.nips.cc/paper/2010/hash/42998cf32d552343bc8e460416382dca-Abstract.html)"
    )
runs.draw_trainer(
    bar,
    clusters.choose_config,
    clusters.draw_shown,
    clusters.draw_details,
    "some",
    "clusters",
    clusters.METHOD,
    labels_worth.draw_labels_worth,
)
