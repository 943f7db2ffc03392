"""bfloat16 is where it is asked for and nowhere else: in the networks, while they train."""

import numpy as np
import pytest
import torch

from semidml.config import RunConfig
from semidml.losses import twins
from semidml.methods import MODELS, latent
from semidml.networks import ENCODERS, precision
from semidml.train import device, loop, task
from semidml.train.device import machine_remarks, takes_bfloat16
from semidml.train.loop import fit
from semidml.train.outputs import embed

CPU = torch.device("cpu")
SMALL = [name for name, entry in ENCODERS.items() if "pretrained" not in entry.knobs]


def config(**values) -> RunConfig:
    return RunConfig.of({"data": "digits", "model": "dml", "epochs": 2, "pl": 20, "device": "cpu"} | values)


@pytest.mark.parametrize("encoder", SMALL)
def test_products_are_rounded_and_the_last_layer_is_not(encoder):
    made = task.seeded_model(config(encoder=encoder), (1, 8, 8), 10).eval()
    x = torch.rand(50, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    exact, rounded = (precision.through(made.encoder, x, half).detach() for half in (False, True))
    assert exact.dtype == rounded.dtype == torch.float32
    assert 1e-5 < float((exact - rounded).abs().max() / exact.abs().max()) < 0.05
    assert not torch.equal(rounded, rounded.bfloat16().float()), "distances are not of rounded latents"


@pytest.mark.parametrize("model", ["dml-ae", "metric-vae", "cbswr"])
def test_weights_losses_and_scores_stay_in_single_precision(digits, model, monkeypatch):
    seen = []

    def spied(function):
        def spy(z, *more, **named):
            seen.append(z.dtype)
            return function(z, *more, **named)

        return spy

    monkeypatch.setattr(latent, "bernoulli_nll", spied(latent.bernoulli_nll))
    monkeypatch.setattr(twins, "sme", spied(twins.sme))
    values = {"model": model, "prior": "unit"} if model == "metric-vae" else {"model": model}
    values |= {"variant": "sme"} if model == "cbswr" else {}
    training = fit(config(**values, alpha=0.5, epochs=1, precision="bfloat16"), digits)
    list(training)
    assert set(seen) == {torch.float32}
    assert all(p.dtype == torch.float32 for p in training.method.parameters())
    x = digits.test.images[:20]
    latents = embed(training.method, x)
    training.method.half = False
    assert np.array_equal(latents, embed(training.method, x)), "what is scored is never rounded"
    assert training.facts["precision"] == "float32"


def test_what_was_taken_stands_with_the_run_and_trains_as_well(digits):
    found = {}
    for taken in ("float32", "bfloat16"):
        training = fit(config(precision=taken, epochs=5, batch_size=32, pl=100), digits)
        *_, last = training
        assert training.facts["precision"] == taken
        found[taken] = training.finish()["knn_accuracy"], last.terms["metric"]
    assert abs(found["float32"][0] - found["bfloat16"][0]) < 0.03
    assert found["float32"][1] != found["bfloat16"][1], "the two are not the same training"


@pytest.mark.parametrize("crawls", [True, False])
def test_what_a_machine_only_imitates_is_said_before_a_training(monkeypatch, crawls):
    monkeypatch.setattr(device, "bfloat16_crawls", lambda device: crawls)
    said = machine_remarks(config(precision="bfloat16"))
    assert [remark[:41] for remark in said] == ["This processor has no bfloat16 maths: tor"] * crawls
    assert not machine_remarks(config()) and not machine_remarks(config(precision="float32"))
    assert not machine_remarks(config(precision="bfloat16", device="cuda")), "whatever devices there are"


def test_a_resumed_run_in_bfloat16_gives_the_records_it_would_have_given(digits):
    settings = config(model="dml-ae", alpha=0.5, epochs=3, precision="bfloat16")
    whole, stopped = fit(settings, digits), fit(settings, digits)
    records = [(tick.terms, tick.scores) for tick in whole if tick.ends_epoch]
    for tick in stopped:
        if tick.ends_epoch and tick.epoch == 2:
            break
    rest = [(tick.terms, tick.scores) for tick in fit(settings, digits, stopped.state()) if tick.ends_epoch]
    assert rest == records[3:]


@pytest.mark.parametrize("pays", [True, False])
def test_auto_takes_it_where_the_machine_is_faster_and_it_is_known_to_be_as_accurate(pays, monkeypatch):
    monkeypatch.setattr(device, "bfloat16_pays", lambda device: pays)
    assert takes_bfloat16(config(), (1, 28, 28), CPU) == pays
    assert not takes_bfloat16(config(), (1, 8, 8), CPU), "small images: not shown to be faster"
    assert not takes_bfloat16(config(encoder="resnet18"), (1, 28, 28), CPU), "not shown to be as accurate"
    assert takes_bfloat16(config(precision="bfloat16"), (1, 8, 8), CPU)
    assert not takes_bfloat16(config(precision="float32"), (1, 28, 28), CPU)


def test_auto_goes_on_as_it_was_begun(digits, monkeypatch):
    monkeypatch.setattr(device, "bfloat16_pays", lambda device: True)
    monkeypatch.setattr(loop, "bfloat16_crawls", lambda device: False)
    begun = fit(config(precision="bfloat16"), digits)
    for tick in begun:
        if tick.ends_epoch and tick.epoch == 1:
            break
    state = begun.state()
    assert fit(config(), digits, state).facts["precision"] == "bfloat16"
    old = {name: value for name, value in state.items() if name != "half"}
    assert fit(config(), digits, old).facts["precision"] == "float32", "up to version 0.1 all was"
    monkeypatch.setattr(device, "bfloat16_pays", lambda device: False)
    assert fit(config(), digits, state).facts["precision"] == "bfloat16", "whatever the clock says of this moment"
    monkeypatch.setattr(loop, "bfloat16_crawls", lambda device: True)
    assert fit(config(), digits, state).facts["precision"] == "float32", "where it would crawl"


@pytest.mark.parametrize(("single", "short", "pays"), [(2.0, 1.0, True), (1.2, 1.0, False), (1.0, 65.0, False)])
def test_the_fastest_round_of_each_decides(single, short, pays, monkeypatch):
    times = iter([single * noise if turn == 0 else short * noise for noise in (3, 1, 2) * 3 for turn in (0, 1)])
    monkeypatch.setattr(precision, "_seconds", lambda act, device: next(times))
    precision.bfloat16_rate.cache_clear()
    assert precision.bfloat16_pays("cpu") == pays
    assert precision.bfloat16_crawls("cpu") == (short > 2)
    precision.bfloat16_rate.cache_clear()


def test_the_last_layer_keeps_double_precision():
    x = torch.rand(3, 1, 8, 8, dtype=torch.float64)
    made = task.seeded_model(config(), (1, 8, 8), 10).double()
    assert made.embed(x).dtype == torch.float64


@pytest.mark.parametrize("name", MODELS)
def test_every_model_knows_the_switch(name):
    prior = {"prior": "unit"} if MODELS[name].facts["prior"] else {}
    assert task.seeded_model(config(model=name, **prior), (1, 8, 8), 10).half is False
