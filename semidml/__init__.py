"""semidml: see, and change, what a reconstruction, a prior and a handful of labels do to a latent space.

Axis letters, used in every docstring and shape comment:

    B  rows of a batch            L  labelled rows of a batch
    N  rows of a data set         P  (anchor, positive) pairs
    D  latent dimensions          S  samples of a Monte Carlo estimate
    K  classes or components      C H W  channels, height, width of an image

Words that are ours:

    knob        a field of RunConfig: on a page a widget, on the command line an option
    seen        training rows whose labels the training may use; from it those of all others are hidden
    unlabelled  a row without a label, -1 in every array of labels: trained on, drawn and never scored by a class
    watched     rows whose latents every frame holds and the map draws: always the same of a run
    frame       what a training shows of itself after an epoch: latents, predictions, components, reconstructions
    film        the frames of a run in one plane, which the map plays
    twin        a transformed view of an image, which the network is to put where it puts the image
    floor       what a score is without any training, or without what it is to show: chance, kNN on pixels
    places      where the components of a mixture stand, in the latent space
    spread      standard deviation of the latents a dimension: near 0 all images lie in one point
    sweep       many runs: a base setting, values of a few knobs, seeds; each combination is a cell
    untrusted   from elsewhere, as an imported run: nothing of it is believed before it is checked
"""

__version__ = "0.3.0"
