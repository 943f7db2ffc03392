"""Colours and symbols of classes."""

from typing import Literal

# Searched for: sRGB in steps of 15, a hue and a lightness for each of the first ten, farthest points with swaps. The
# smallest distance of two in CIELAB is 19.3 over normal, protan, deutan and tritan vision (Machado et al. 2009); that
# of brighter ones was 15.6. The next ten are the farthest from those before them, 11.9. No chroma is over 66, which a
# printer can mix and an eye can bear; contrast at least 2 to white, 2.6 to near black.
CLASS_COLOURS = (
    *("#5a87e1", "#f0a53c", "#a54b3c", "#5ac3c3", "#873c87", "#ff7878", "#877800", "#96a5e1", "#b40f5a", "#4b4bb4"),
    *("#00695a", "#874b0f", "#c369b4", "#3ca569", "#ff87b4", "#a5783c", "#d2a55a", "#965ab4", "#87a5ff", "#87c396"),
)
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x")  # one for each twenty classes
HEAT_COLOURS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")  # viridis, evenly: lightness tells the value too
FAINT = "#b4bac4"  # points that are not the matter
UNLABELLED = "#747b86"  # points of no class

Kind = Literal["class", "prediction", "seen", "error", "component", "cluster"]


def class_colour(number: int) -> str:
    """The colour of a class, as #rrggbb; the twenty-first starts anew."""
    return CLASS_COLOURS[number % len(CLASS_COLOURS)]


def class_looks(count: int) -> list[tuple[str, str]]:
    """(colour, marker symbol) of the first classes: the next symbol for each twenty."""
    symbols = [SYMBOLS[number // len(CLASS_COLOURS) % len(SYMBOLS)] for number in range(count)]
    return [(class_colour(number), symbol) for number, symbol in enumerate(symbols)]


def heat_colour(share: float) -> str:
    """The colour of a value in a heat map, from 0 to 1, as #rrggbb."""
    place = min(1.0, max(0.0, share)) * (len(HEAT_COLOURS) - 1)
    first = min(int(place), len(HEAT_COLOURS) - 2)
    pairs = zip(rgb(HEAT_COLOURS[first]), rgb(HEAT_COLOURS[first + 1]), strict=True)
    return "#" + "".join(f"{round(a + (place - first) * (b - a)):02x}" for a, b in pairs)


def ink_on(colour: str) -> str:
    """What is legible on a colour: white or near black, by its luminance."""
    red, green, blue = (part / 255 for part in rgb(colour))
    return "#10161e" if 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2 > 0.18 else "#ffffff"


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
