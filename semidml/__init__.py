"""semidml: see, and change, what a reconstruction, a prior and a handful of labels do to a latent space.

Axis letters, used in every docstring and shape comment:

    B  rows of a batch            L  labelled rows of a batch
    N  rows of a data set         P  (anchor, positive) pairs
    D  latent dimensions          S  samples of a Monte Carlo estimate
    K  classes or components      C H W  channels, height, width of an image
"""

__version__ = "0.2.0"
