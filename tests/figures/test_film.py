"""A training as a film: its epochs in order, gliding, of a few seconds, and no larger than it may be."""

import io

import av
import numpy as np
import pytest
from PIL import Image

from semidml.figures import film


def decoded(content):
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.video[0]
        pictures = [picture.to_ndarray(format="rgb24") for picture in container.decode(video=0)]
        return stream, pictures


def test_an_mp4_plays_everywhere_and_shows_the_epochs_in_order(made):
    run = made(epochs=4)
    told = []
    stream, pictures = decoded(film.film_bytes(run, "mp4", lambda share, words: told.append((share, words))))
    assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    assert pictures[0].shape == (720, 1280, 3)
    assert 2 <= len(pictures) / 30 <= 10 and len(pictures) / 30 == pytest.approx(film.film_seconds(3), abs=0.1)
    away = [np.abs(picture.astype(int) - pictures[-1]).sum() for picture in pictures[:: len(pictures) // 6]]
    assert away[0] > away[3] > away[5]  # nearer and nearer to the end
    assert [share for share, _ in told] == sorted(share for share, _ in told) and told[-1][0] == 1.0


def test_a_gif_plays_for_ever_on_white_and_takes_as_long(made):
    picture = Image.open(io.BytesIO(film.film_bytes(made(epochs=3), "gif")))
    assert picture.info["loop"] == 0 and picture.size == (800, 450)
    seconds = 0.0
    for number in range(picture.n_frames):
        picture.seek(number)
        seconds += picture.info["duration"] / 1000
    assert seconds == pytest.approx(film.film_seconds(2), abs=0.2)
    assert picture.convert("RGB").getpixel((795, 445)) == (255, 255, 255)


def test_a_gif_that_is_too_large_is_drawn_smaller(made, monkeypatch):
    run = made()
    whole = film.film_bytes(run, "gif")
    monkeypatch.setattr(film, "MOST_GIF", len(whole) - 1)
    smaller = film.film_bytes(run, "gif")
    assert len(smaller) < len(whole) and Image.open(io.BytesIO(smaller)).size == (640, 360)


@pytest.mark.parametrize("steps", [1, 2, 5, 39])
def test_moments_go_from_the_first_epoch_to_the_last_and_rest_at_both(steps):
    at = list(film.moments(steps, 30))
    assert at[0] == 0 and at[-1] == steps and at == sorted(at)
    assert 2 <= len(at) / 30 <= 10
    assert sum(moment == 0 for moment in at) >= 10 and sum(moment == steps for moment in at) >= 30
    assert max(np.diff(at)) < 0.45 or steps > 30  # it glides


def test_points_and_components_glide(places):
    scenes = film.read_scenes(places, "class", "both", lambda share: None)
    assert [scene.epoch for scene in scenes] == [0, 2, 7, 13, 21, 30]
    assert len({scene.shown.drawn.x_range for scene in scenes}) == 1
    first, last = [[0, 0, 1, 1, 0.5, 1]], [[2, 4, 3, 1, 0.7, 0]]
    assert film.between(first, last, 0.25) == [[0.5, 1.0, 1.5, 1.0, 0.5, 0.75]]
    assert film.between(first, [], 0.75) == []


def test_what_makes_no_film_is_refused_in_words(made):
    with pytest.raises(ValueError, match="points of two epochs or more; made-200-2-1 has kept epoch 0 alone"):
        film.film_bytes(made(epochs=1), "mp4")
    with pytest.raises(ValueError, match="has kept none"):
        film.film_bytes(made(epochs=0), "gif")
    with pytest.raises(ValueError, match="a film is one of mp4, gif; got 'avi'"):
        film.film_bytes(made(), "avi")


@pytest.mark.parametrize("dimensions", [1, 10])
def test_a_run_of_one_dimension_and_of_ten(made, dimensions):
    run = made(dimensions=dimensions)
    assert Image.open(io.BytesIO(film.film_bytes(run, "gif"))).n_frames > 3


def test_of_seventy_thousand_points_an_even_part_moves(made):
    run = made(70_000)
    scenes = film.read_scenes(run, "class", "both", lambda share: None)
    assert [len(film.visible_rows(scene.shown.drawn)) for scene in scenes] == [film.MOST_POINTS] * 2
