"""The points that one drags in a lesson: what the browser computes is what the losses and priors compute, and all of it
can be had by mouse and by keys. In a page without Streamlit."""

import json
import math
from collections.abc import Iterator

import pytest
import torch
from playwright.sync_api import Page, expect

from semidml.lessons import METRIC_VAE, PLACES
from semidml.losses.bernoulli import bernoulli_nll
from semidml.losses.triplet import REDUCTION, triplet_loss
from semidml.priors.gmm import Gmm, Unit
from semidml.scatter import bundle, forces

SETUP = """async ([program, css, data]) => {
    document.body.innerHTML = '<div id="a"><div class="forces"></div></div>';
    const style = document.createElement('style');
    style.textContent = css;
    document.head.append(style);
    const draw = (await import(URL.createObjectURL(new Blob([program], {type: 'text/javascript'})))).default;
    draw({data: JSON.parse(data), parentElement: document.getElementById('a')});
    window.forces = document.querySelector('.forces').forces;
}"""
LOOKS = [("#5a87e1", "#000000"), ("#f0a53c", "#000000"), ("#a54b3c", "#ffffff")]
ALL = forces.scene(LOOKS, ("triplet", "reconstruction", "prior"), ("unit", "paper", "three"), 0.3, ("sum", "mean"))
POSTERIOR = -2.0  # log-variance of each point's own Gaussian, which moves no gradient of its middle


@pytest.fixture(scope="module")
def shared_tab(browser) -> Iterator[Page]:
    """All terms, priors and knobs, for somebody who wants less motion."""
    context = browser.new_context(viewport={"width": 900, "height": 700}, reduced_motion="reduce")
    page = context.new_page()
    thrown: list[str] = []
    page.on("pageerror", lambda error: thrown.append(str(error)))
    page.evaluate(SETUP, [bundle.javascript("forces"), bundle.css("forces"), json.dumps(ALL)])
    yield page
    context.close()
    assert not thrown, thrown


@pytest.fixture
def tab(shared_tab: Page) -> Page:
    """The same for each test, as it was at first."""
    shared_tab.evaluate("() => { const {forces} = window; forces.state = ''; forces.show(forces.data); }")
    return shared_tab


def read_terms(page: Page, **choices: object) -> tuple[torch.Tensor, dict[str, tuple[float, torch.Tensor]]]:
    """The places (N, 2), and value and gradient (N, 2) of each term, as the browser has them after these choices."""
    told = page.evaluate(
        "choices => { Object.assign(forces, choices); return [forces.places, forces.terms()]; }", choices
    )
    terms = {name: (term["value"], torch.tensor(term["gradient"])) for name, term in told[1].items()}
    return torch.tensor(told[0], requires_grad=True), terms


def check(told: tuple[float, torch.Tensor], loss: torch.Tensor, places: torch.Tensor) -> None:
    (gradient,) = torch.autograd.grad(loss, places)
    assert gradient.abs().max() > 1e-3
    torch.testing.assert_close(told[0], loss.item(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(told[1], gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("margin", [0.1, 1.0, 3.0])
def test_the_triplets_are_those_of_the_loss(tab: Page, margin: float) -> None:
    places, told = read_terms(tab, margin=margin)
    seen = [number for number, point in enumerate(forces.POINTS) if point.seen]
    labels = torch.tensor([forces.POINTS[number].label for number in seen])
    check(told["triplet"], triplet_loss(places[seen], labels, margin, "all", REDUCTION), places)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_the_reconstruction_is_that_of_the_pixels(tab: Page, reduction: str) -> None:
    places, told = read_terms(tab, reduction=reduction)
    weights, offsets = (torch.tensor(array, dtype=torch.float32) for array in forces.decoder())
    images = torch.tensor(forces.images(), dtype=torch.float32)
    loss = bernoulli_nll(places @ weights.T + offsets, images)
    check(told["reconstruction"], loss * (images.shape[1] if reduction == "sum" else 1), places)


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("number", range(3))
def test_the_prior_pulls_as_its_kl_divergence(tab: Page, number: int, balanced: bool) -> None:
    """Of points that are the middles of narrow Gaussians, whose own entropy is left out."""
    places, told = read_terms(tab, chosenPrior=number, balanced=balanced)
    means, log_vars, weights = (torch.tensor(ALL["priors"][number][name]) for name in ("means", "logVars", "weights"))
    log_var = torch.full_like(places, POSTERIOR)
    prior = Gmm(means, log_vars, weights, balanced)
    density = prior.kl(places[None], places, log_var).mean()
    entropy = log_var.sum(1).mean() / 2 + torch.log(torch.tensor(2 * torch.pi)) + (1 if balanced else 0)
    check(told["prior"], density + entropy, places)
    if number == 0:
        (closed,) = torch.autograd.grad(Unit(2).kl(places[None], places, log_var).mean(), places)
        torch.testing.assert_close(told["prior"][1], closed, rtol=1e-4, atol=1e-5)


def test_steps_go_down_and_the_weights_are_the_schedules(tab: Page) -> None:
    before = tab.evaluate("Object.values(forces.terms()).map(({value, weight}) => [value, weight])")
    assert [weight for _, weight in before] == pytest.approx([0.7, 0.3, 0.3])
    tab.get_by_role("button", name="Take 50 steps").click()
    expect(tab.get_by_role("status")).to_contain_text("Step 50")
    after = tab.evaluate("Object.values(forces.terms()).map(({value, weight}) => [value, weight])")
    assert sum(v * w for v, w in after) < 0.7 * sum(v * w for v, w in before)
    tab.get_by_role("button", name="Start again").click()
    assert tab.evaluate("forces.places") == [list(point.start) for point in forces.POINTS]


def settle(page: Page, **choices: object) -> list[list[float]]:
    """Where the points lie after 900 steps from the start with these choices."""
    steps = "for (let k = 0; k < 900; k++) forces.step();"
    page.evaluate("() => { forces.state = ''; forces.show(forces.data); }")
    return page.evaluate(f"choices => {{ Object.assign(forces, choices); {steps} return forces.places; }}", choices)


def test_what_the_lessons_say_of_the_points_is_so(tab: Page) -> None:
    seen = [number for number, point in enumerate(forces.POINTS) if point.seen]
    place_terms = {"on": {"triplet": True, "reconstruction": False, "prior": True}}
    alpha = PLACES.pull.alpha
    wide = settle(tab, **place_terms, alpha=alpha, chosenPrior=1)
    assert max(math.hypot(*place) for place in wide) < 1, "four wide hills are one"
    for balanced in (False, True):
        places = settle(tab, **place_terms, alpha=alpha, chosenPrior=2, balanced=balanced)
        hills = [min(range(3), key=lambda k: math.dist(place, ALL["priors"][2]["means"][k])) for place in places]
        own = {hills[number]: forces.POINTS[number].label for number in seen}
        if balanced:
            assert len(own) == 3 and all(own[hills[number]] == forces.POINTS[number].label for number in seen)
        else:
            assert {hills[number] for number in seen} == {0} and hills.count(0) >= 8
    bound_terms = {"on": {"triplet": False, "reconstruction": True, "prior": True}, "alpha": METRIC_VAE.pull.alpha}
    summed, averaged = (settle(tab, **bound_terms, reduction=way) for way in ("sum", "mean"))
    radius = [sum(math.hypot(*place) for place in places) / len(places) for places in (summed, averaged)]
    assert radius[0] > 0.7 and radius[1] < 0.15
    few = settle(tab, on={"triplet": True})
    assert [place != list(point.start) for place, point in zip(few, forces.POINTS, strict=True)] == [
        point.seen for point in forces.POINTS
    ]


def test_a_point_is_moved_by_mouse_and_by_keys_and_told(tab: Page) -> None:
    point = tab.get_by_role("button", name="Point 2, class A").first
    box = point.locator("rect.frame").bounding_box()
    x, y, scale = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, tab.evaluate("forces.scale")
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x - scale, y + scale / 2)
    tab.mouse.up()
    start = forces.POINTS[1].start
    assert tab.evaluate("forces.places[1]") == pytest.approx([start[0] - 1, start[1] - 0.5], abs=0.02)
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Shift+ArrowUp")
    assert tab.evaluate("forces.places[1]") == pytest.approx([start[0] - 0.9, start[1]], abs=0.02)
    now = [f"{x:.2f}" for x in tab.evaluate("forces.places[1]")]
    expect(tab.get_by_role("status")).to_contain_text(f"Point 2, class A, at {' and '.join(now)}")
    tab.keyboard.press("PageDown")
    expect(tab.get_by_role("button", name="Point 3, its label hidden")).to_be_focused()
    tab.get_by_role("button", name="Table").click()
    cells = tab.get_by_role("row").nth(2).get_by_role("cell").all_inner_texts()
    assert cells[:5] == ["2", "A", "seen", *now] and len(cells) == 11


def test_without_a_wish_for_less_motion_it_runs_and_stops(browser) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800}, reduced_motion="no-preference")
    page = context.new_page()
    page.evaluate(SETUP, [bundle.javascript("forces"), bundle.css("forces"), json.dumps(ALL)])
    page.get_by_role("button", name="Let it run").click()
    page.wait_for_function("forces.steps > 5")
    page.get_by_role("button", name="Stop").click()
    steps = page.evaluate("forces.steps")
    expect(page.get_by_role("button", name="Let it run")).to_be_visible()
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.evaluate("forces.steps") == steps
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()
