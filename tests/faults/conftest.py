"""Which cases of the campaign are tried: a few of each kind, or with --whole all.

A test marked `often(short, whole)` is a case as often as that, and is told by its argument `number` which it is; one
marked `whole` is tried in the long form only."""

import pytest

from tests.faults.tally import DONE, EXPECTED


def is_whole(config: pytest.Config) -> bool:
    return config.getoption("whole", False)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if often := metafunc.definition.get_closest_marker("often"):
        short, whole = often.args
        metafunc.parametrize("number", range(whole if is_whole(metafunc.config) else short))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    long = [item for item in items if item.get_closest_marker("whole") and not is_whole(config)]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


@pytest.fixture
def tell(record_property):
    """Tells the tally what was done, and what was expected of it."""

    def tell(done: str, expected: str) -> None:
        record_property(DONE, done)
        record_property(EXPECTED, expected)

    return tell
