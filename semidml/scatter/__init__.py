"""The live map: points that the browser draws from bytes, in a few milliseconds, while the next ones are computed.

    draw = st.components.v2.component(NAME, html=HTML, css=css(), js=javascript())
    draw(data=pack(Drawing(points, labels, ...)), key="map")

`map.js` beside this file draws what `pack` packs. Both know this layout, little endian:

    uint32   bytes of the header, a multiple of four
    header   JSON, filled up with spaces; `version` says which layout this is
    columns  of the n points, one after the other, as the header's `columns` names them: x and y in 65,535ths of the
             header's bounds, category, label, prediction, cluster (65,535 for none), error as uint16; row as uint32;
             flags, strength as uint8
    uint8    where the header's `density` is not null: its rows x columns, from the lowest row up, in 255ths
    uint8    where the header's `pictures` is not null: its count x height x width x channels

What belongs to a run and not to one frame of it goes to a component that draws nothing (STORE, `javascript("store")`)
and is found there by every map of that run: `pack_images`, `pack_film`, `pack_lattice`.

A map sends trigger values: `moved` {"move": its number, "middles": [[x, y], ...]} when a component was dropped
(`middles_of` reads it), `asked` {"x", "y", "point"} for a click (`asked_of`), `region` {"points"} for a box or lasso
(`region_of`), `line` {"ends": [[x, y], [x, y]]} (`line_of`), `epoch` for a scrubber that rests, `seen` {"box": [x0, y0,
x1, y1], "width", "height" in pixels} where it shows a lattice (`box_of`).

It has siblings, elements that stay while their data change, so that nothing blinks: curves (`plots.chart`), the card
and the table of scores, the sheet of many runs with their little maps (`sheet.py`), parallel coordinates
(`plots.many`), points that the terms of a loss pull (`forces.py`).
"""
