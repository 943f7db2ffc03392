"""A training as a film: its kept frames in order, points that glide from one to the next, epoch and scores written in
it, as GIF or MP4.

Two to ten seconds. A GIF is drawn smaller until it fits into MOST_GIF; an MP4 is H.264 with 4:2:0 colours, which every
browser and every presentation plays.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from semidml.figures import shown as showing
from semidml.figures.canvas import DRAWING, INK, PALE, Size, alone, new_figure, plain
from semidml.figures.lettering import LETTER, axes_at, fold, write
from semidml.figures.marks import draw_components, draw_legend, draw_map, draw_points, visible_rows
from semidml.figures.shown import Shown
from semidml.plots.colours import Kind
from semidml.scores.table import SCORES, shown_at
from semidml.tasks import Progress

if TYPE_CHECKING:
    from semidml.runs.run import Run

KINDS = ("mp4", "gif")
SHORTEST, LONGEST = 2.0, 10.0  # seconds
A_STEP = 0.55  # seconds from one kept epoch to the next, where that keeps the bounds
FIRST, LAST = 0.4, 1.2  # seconds for which the beginning and the end stand still
MOST_STEPS = 40  # kept epochs that are shown; of more an even part
MOST_POINTS = 20_000  # of a picture of a film; of more an even part
MOST_GIF = 8_000_000  # bytes
NEAR_WHITE = 246  # of 255: colours of a GIF's palette that are paper


class Look(NamedTuple):
    """Pixels, pictures a second, and the size of the letters in points."""

    width: int  # even, as H.264 needs it
    height: int
    rate: float
    font: float


MP4 = Look(1280, 720, 30, 15.0)
GIFS = (Look(800, 450, 12.5, 9.4), Look(640, 360, 10, 7.5), Look(480, 270, 10, 5.6), Look(400, 224, 5, 4.7))


class Scene(NamedTuple):
    """A moment that was kept, and what is written in it."""

    shown: Shown
    epoch: int
    scores: Sequence[tuple[str, str]]


def film_bytes(
    run: "Run", kind: str, progress: Progress | None = None, *, colour: Kind = "class", part: str = "both"
) -> bytes:
    """A run's training as a film, of one of KINDS. part: of `shown.PARTS`. A minute of work for a large one.
    Raises: ValueError in words where fewer than two epochs were kept."""
    report = progress or (lambda share, words: None)
    if kind not in KINDS:
        raise ValueError(f"a film is one of {', '.join(KINDS)}; got {kind[:40]!r}")
    scenes = read_scenes(run, colour, part, lambda share: report(0.1 * share, "reading the epochs"))
    title = scenes[-1].shown.title
    if kind == "mp4":
        pictures = draw_film(scenes, MP4, lambda share: report(0.1 + 0.9 * share, "drawing"))
        return encode_mp4(pictures, MP4, title)
    for number, look in enumerate(GIFS):
        begin, words = 0.1 + 0.9 * number / len(GIFS), "drawing" if not number else "drawing it smaller"
        drawn = draw_film(scenes, look, lambda share, b=begin, w=words: report(b + 0.9 * share / len(GIFS), w))
        content = encode_gif(drawn, look, title)
        if len(content) <= MOST_GIF:
            break
    return content


def read_scenes(run: "Run", colour: Kind, part: str, report: Callable[[float], None]) -> list[Scene]:
    """The kept epochs of a run, an even part of many, on common axes.
    Raises: ValueError in words where fewer than two were kept."""
    epochs = run.frames()
    if len(epochs) < 2:
        kept = "none" if not epochs else f"epoch {epochs[0]} alone"
        raise ValueError(f"a film needs the points of two epochs or more; {run.id} has kept {kept}")
    even = np.linspace(0, len(epochs) - 1, min(len(epochs), MOST_STEPS)).round().astype(int)
    chosen = [epochs[k] for k in even]
    records = {record.epoch: record.scores for record in run.history() if not record.step}
    scenes = []
    for number, epoch in enumerate(chosen):
        shown = thin_points(showing.show_run(run, epoch=epoch, colour=colour, part=part))
        scores = records.get(epoch, {})
        told = [
            (SCORES[name].title, showing.titles.score_words(name, scores[name]))
            for name in shown_at("train")
            if scores.get(name) is not None
        ]
        scenes.append(Scene(shown, epoch, told[:4]))
        report((number + 1) / len(chosen))
    if len({len(scene.shown.drawn.points) for scene in scenes}) > 1:
        raise ValueError(f"the frames of {run.id} are of different numbers of points: no film can be made of them")
    common = showing.with_common_view([scene.shown for scene in scenes])
    return [Scene(shown, epoch, scores) for shown, (_, epoch, scores) in zip(common, scenes, strict=True)]


def thin_points(shown: Shown) -> Shown:
    """The same with at most MOST_POINTS points drawn."""
    rows = visible_rows(shown.drawn)
    if len(rows) <= MOST_POINTS:
        return shown
    away = np.ones(len(shown.drawn.points), bool)
    away[rows[np.linspace(0, len(rows) - 1, MOST_POINTS).astype(int)]] = False
    return replace(shown, drawn=replace(shown.drawn, away=away))


def film_seconds(steps: int) -> float:
    """How long a film of so many steps from epoch to epoch is."""
    return min(LONGEST, max(SHORTEST, FIRST + LAST + A_STEP * steps))


def moments(steps: int, rate: float) -> Iterator[float]:
    """Where the pictures of a film are: 0 is the first kept epoch, 1 the second, 1.5 half way to the third. It eases in
    and out of each epoch."""
    count = round(film_seconds(steps) * rate)
    still, end = round(FIRST * rate), round(LAST * rate)
    moving = max(1, count - still - end)
    for number in range(count):
        at = min(max(number - still + 1, 0), moving) / moving * steps
        whole = min(int(at), steps - 1)
        part = at - whole
        yield whole + part * part * (3 - 2 * part)


def draw_film(scenes: Sequence[Scene], look: Look, report: Callable[[float], None]) -> Iterator[np.ndarray]:
    """The pictures of a film, uint8 (height, width, 3). What does not move is drawn once."""
    with alone():
        stage = Stage(scenes, look)
    for number, at in enumerate(times := list(moments(len(scenes) - 1, look.rate))):
        with DRAWING:
            picture = stage.draw(at)
        report((number + 1) / len(times))
        yield picture


class Stage:
    """A figure in which only points, components and words change."""

    def __init__(self, scenes: Sequence[Scene], look: Look):
        self.scenes = scenes
        points = (look.font / 9, look.font / 2.4)
        size = Size(look.width / 100, look.height / 100, 100, look.font, look.font / 9, points, True)
        self.size, self.figure = size, new_figure(size)
        first, em = scenes[-1].shown, size.font / 72
        bottom, left, top = 3.0 * em, 4.4 * em, 1.0 * em
        side = size.height - top - bottom
        wide = min(1.5 * side, size.width - left - 20 * em)
        self.axes = axes_at(self.figure, left, bottom, wide, side)
        stays = all(scene.shown.drawn.ellipses == first.drawn.ellipses for scene in scenes)
        nothing = np.ones(len(first.drawn.points), bool)
        bare = replace(first.drawn, away=nothing, ellipses=(), density=first.drawn.density if stays else None)
        draw_map(self.axes, replace(first, drawn=bare), size)
        x, y = left + wide + 1.6 * em, size.height - top
        letters = (size.width - x - em) / (LETTER * em)
        for line in fold(first.title, letters / 1.08, 3):
            write(self.figure, size, x, y, line, 1.08 * size.font, weight="bold")
            y -= 1.4 * em
        for line in fold(first.settings, letters / 0.72, 3):
            write(self.figure, size, x, y, line, 0.72 * size.font, color=PALE)
            y -= 1.0 * em
        self.words, y = self._place_words(x, y - 0.4 * em, size.width - x - em)
        draw_legend(self.figure, first.drawn, size, x, y, size.width - x - em, y - bottom)
        self.figure.canvas.draw()
        self.ground = self.figure.canvas.copy_from_bbox(self.figure.bbox)
        self.points: list[Any] = []
        self.rows = visible_rows(first.drawn)
        self.known: int | None = None

    def _place_words(self, x: float, y: float, width: float) -> tuple[list[Any], float]:
        """Texts that change: the epoch, and titles and values of scores."""
        em, size = self.size.font / 72, self.size
        wide, tall = self.figure.get_size_inches()

        def text(across: float, up: float, font: float, **look: Any) -> Any:
            return self.figure.text(
                across / wide, up / tall, "", fontsize=font * size.font, va="top", animated=True, **look
            )

        words = [text(x, y, 1.5, color=INK, weight="bold")]
        y -= 2.2 * em
        for _ in range(max(len(scene.scores) for scene in self.scenes)):
            words += [text(x, y, 0.8, color=PALE), text(x + width, y, 0.8, color=INK, weight="bold", ha="right")]
            y -= 1.25 * em
        return words, y - 0.6 * em

    def draw(self, at: float) -> np.ndarray:
        """The picture at a moment, see `moments`."""
        low = min(int(at), len(self.scenes) - 1)
        high, part = min(low + 1, len(self.scenes) - 1), at - low
        nearest = self.scenes[high if part > 0.5 else low]
        before, after = (self.scenes[k].shown.drawn for k in (low, high))
        drawn = replace(
            nearest.shown.drawn,
            points=(1 - part) * before.points + part * after.points,
            ellipses=between(before.ellipses, after.ellipses, part),
        )
        canvas = self.figure.canvas
        canvas.restore_region(self.ground)
        for artist in [*draw_points(self.axes, drawn, self.size), *draw_components(self.axes, drawn, self.size.line)]:
            self.axes.draw_artist(artist)
            artist.remove()
        texts = [f"epoch {nearest.epoch} of {self.scenes[-1].epoch}" if nearest.epoch else "before training"]
        texts += [word for pair in nearest.scores for word in (plain(pair[0]), pair[1])]
        for text, words in zip(self.words, [*texts, *[""] * len(self.words)], strict=False):
            text.set_text(words)
            text.set_parse_math(False)
            self.figure.draw_artist(text)
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def between(before: Sequence[Sequence[float]], after: Sequence[Sequence[float]], part: float) -> Sequence[Any]:
    """Components on their way from one epoch to the next: middles, half axes and weights; the angle is the nearer's."""
    if len(before) != len(after):
        return after if part > 0.5 else before
    if not len(before):
        return ()
    first, last = np.asarray(before, float), np.asarray(after, float)
    moved = (1 - part) * first + part * last
    moved[:, 4] = (last if part > 0.5 else first)[:, 4]
    return moved.tolist()


def encode_mp4(pictures: Iterator[np.ndarray], look: Look, title: str) -> bytes:
    """Pictures as an MP4."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        container.metadata["title"] = plain(title, 200)
        stream = container.add_stream("libx264", rate=round(look.rate), options={"crf": "20", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = look.width, look.height, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def encode_gif(pictures: Iterator[np.ndarray], look: Look, title: str) -> bytes:
    """Pictures as a GIF that plays for ever, with one palette for all."""
    from PIL import Image

    images = [Image.fromarray(picture) for picture in pictures]
    palette = images[-1].quantize(256, method=Image.Quantize.MEDIANCUT)
    colours = np.array(palette.getpalette(), np.int64).reshape(-1, 3)
    colours[colours.min(axis=1) >= NEAR_WHITE] = 255  # paper stays white
    palette.putpalette(colours.ravel().tolist())
    small = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    file = io.BytesIO()
    small[0].save(
        file, "GIF", save_all=True, append_images=small[1:], duration=round(1000 / look.rate), loop=0, optimize=False,
        comment=plain(title, 200).encode(),
    )  # fmt: skip
    return file.getvalue()
