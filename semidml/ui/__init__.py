"""The pages' rooms. Beside pages/ and app.py this package is the only place that imports Streamlit.

    frame     menu, head and foot of a page          runs      which run is shown, how far it is; a page that trains
    links     a page's address, both ways            controls  train, stop, resume
    unread    what of an address is not read
    knobs     what is chosen, and its widgets        manage    an act and what came of it; rename, delete, import
    words     settings, runs and states in words     scores    rows and tables of scores
    cache     runs and data sets, until they change  pictures  charts, tables and images
    gate      who may speak to the server            intake    how much may be sent to it
    shared    values that all visitors share

maps and living draw maps; explorer, many, clusters with query and labels_worth, lesson, mixture and uploads belong to
one page or two, home the first. A page begins so:

    begin_page("Train", ["run"])             menu, what runs now; the parts of a link that it reads
    read_link()                              knobs out of the link; what is wrong with it is said
    draw_knob("latent_dim")                  a widget
    config = chosen_config()                 the RunConfig of all knobs; raises ValueError in words
    write_link(config)                       the link says what the knobs say
"""
