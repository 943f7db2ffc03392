"""Every script of benchmarks/ runs in its small form: a newcomer is tested on arrival. Those that drive a Chromium are
tested in tests/browser."""

import json
import re
import statistics
import sys
from pathlib import Path

import pytest

SCRIPTS = {file.stem: file for file in sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))}
COMMON, TAB = SCRIPTS.pop("common"), SCRIPTS.pop("tab")  # are no scripts
BROWSER = {name for name, file in SCRIPTS.items() if "playwright" in file.read_text()}


def test_there_are_scripts_of_both_kinds():
    assert {"life", "map", "pictures"} <= BROWSER
    assert {
        "claim1",
        "claim2",
        "claim3",
        "cbswr",
        "crowd",
        "decode",
        "retrieval",
        "shipped",
        "throughput",
    } <= SCRIPTS.keys() - BROWSER


@pytest.mark.parametrize("name", sorted(SCRIPTS.keys() - BROWSER))
def test_its_small_form_runs_and_ends_with_its_numbers(smoke, name):
    smoke(name)


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_small_form_writes_no_table(benchmark, name, monkeypatch, capsys):
    """Read from its arguments, before anything is measured."""
    monkeypatch.setattr(sys, "argv", [name, "--smoke", "--write"])
    with pytest.raises(SystemExit, match="2"):
        benchmark(name).main()
    assert "--write" in capsys.readouterr().err


def test_every_table_has_its_script_and_every_script_its_table():
    results = (COMMON.parent / "RESULTS.md").read_text()
    written = dict(re.findall(r"<!-- (\w+) -->\n(.*?)\n<!-- /\1 -->", results, re.DOTALL))
    assert written.keys() == {name for name, file in SCRIPTS.items() if "--write]" in file.read_text()}
    for name, text in written.items():
        assert "| ---" in text and re.search(r"cores, .*, torch \d.*, \d{4}-\d\d-\d\d", text), name


def test_a_table_is_written_between_its_marks(benchmark, monkeypatch, tmp_path, capsys):
    common = benchmark("common")
    monkeypatch.setattr(common, "TABLES", tmp_path / "RESULTS.md")
    common.TABLES.write_text("# Results\n<!-- map -->\nold\n<!-- /map -->\nwords\n")
    common.report("map", "not asked for", {"frames": 59})
    common.report("map", "| new |", {"frames": 59}, write=True)
    assert common.TABLES.read_text() == "# Results\n<!-- map -->\n| new |\n<!-- /map -->\nwords\n"
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["frames"] == 59
    with pytest.raises(ValueError, match=r"RESULTS.md has no place for the table: <!-- life -->"):
        common.report("life", "| new |", {}, write=True)


def test_results_without_a_file_are_kept_in_memory(benchmark, tmp_path, capsys):
    common = benchmark("common")
    measured = []

    def measure(values):
        measured.append(values)
        return {"score": 0.5}

    kept = common.Kept(None)
    for _ in range(2):
        common.run_all([{"seed": 0}, {"seed": 1}], kept, measure)
    assert measured == [{"seed": 0}, {"seed": 1}]
    assert kept.known == {"seed=0": {"score": 0.5}, "seed=1": {"score": 0.5}}
    on_disk = common.Kept(tmp_path / "results" / "some.jsonl")
    on_disk.get("seed=0", lambda: {"score": 0.25})
    (line,) = on_disk.file.read_text().splitlines()
    assert json.loads(line)["result"] == common.Kept(on_disk.file).known["seed=0"] == {"score": 0.25}


def test_what_others_take_of_the_machine_is_told(benchmark, monkeypatch, tmp_path):
    """Of two cores' 200 ticks 150 were idle: others kept half a core busy."""
    common = benchmark("common")
    told = iter(["cpu 100 0 100 1000 0 0 0 0 0 0\ncpu0 1", "cpu 130 0 120 1150 0 0 0 0 0 0\ncpu0 1"])
    monkeypatch.setattr(common, "Path", lambda file: tmp_path if file == "/proc/stat" else Path(file))
    monkeypatch.setattr(type(tmp_path), "read_text", lambda self: next(told))
    monkeypatch.setattr(common.os, "cpu_count", lambda: 2)
    assert common.others_busy(smoke=True) == pytest.approx(0.5)
    assert common.busy_words(0.5, 1.26).startswith("Others kept 0.5 of 2 cores busy before the measurement and 1.3 af")
    assert common.busy_words(None, None) == "How busy others kept the machine is not known."


def test_a_page_that_is_not_served_is_said_with_the_server_s_words(benchmark, monkeypatch, tmp_path):
    common = benchmark("common")
    with pytest.raises(RuntimeError, match=r"nowhere.py was not served after \d+ s:(.|\n)*does not exist"):  # noqa: SIM117
        with common.served(str(tmp_path / "nowhere.py")):
            pass


def test_a_spread_and_an_interval_of_one_value_have_no_width(benchmark):
    common = benchmark("common")
    assert (common.spread([0.5]), common.interval([0.25])) == (".500", "+0.250")
    assert common.spread([0.4, 0.6]) == f".500 ± {statistics.stdev([0.4, 0.6]):.3f}".replace("± 0", "± ")
