"""The frame around every page, the widgets made from RunConfig, and the caches.

Beside pages/ and app.py this package is the only place that imports Streamlit.

A page begins with `page(title)`. Heavy modules load where they are used: the first page is out before torch is.

    ui.page("Train")                       menu, what runs now, footer
    ui.read_link()                         knobs out of the link; what is wrong with it is said
    ui.knob("latent_dim")                  a widget
    config = ui.config()                   the RunConfig of all knobs; raises ValueError in words
    ui.write_link(config)                  the link says what the knobs say
"""
