"""Disks that are full, too small for a file, or read-only, and clocks that are off: what goes on ends in words, what
was there is as it was, and a resume ends as if nothing had happened."""

import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from semidml.runs import listing
from semidml.runs.run import Run
from tests.faults.lives import Campaign, command_environment, end_process, setting, start_command, words_for
from tests.test_jobs import until

ALONE = ("unshare", "--mount", "--map-root-user")
AS_IF = "it ends in words; with room it is resumed, and ends as if nobody had disturbed it"


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    made = Campaign(tmp_path_factory.mktemp("disks"))
    yield made
    made.close()


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A place for a disk of one's own, where the system allows that."""
    if shutil.which("unshare") is None or subprocess.run([*ALONE, "true"], capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a small disk of their own")
    place = tmp_path / "disk"
    place.mkdir()
    return place


def run_in_shell(script: str, *given: object, alone: bool = False) -> subprocess.CompletedProcess:
    """A script with the command line as `semidml`, and its arguments as $1 and so on."""
    text = f'semidml() {{ "{sys.executable}" -m semidml "$@"; }}\n{script}'
    command = [*(ALONE if alone else ()), "sh", "-c", text, "sh", *map(str, given)]
    return subprocess.run(command, capture_output=True, text=True, env=command_environment(), timeout=600)


def check_words(done: subprocess.CompletedProcess) -> None:
    assert "Traceback" not in done.stderr, done.stderr[-3000:]


# ---- full


FULL = """
disk=$1; room=$2; out=$3; shift 3
mount -t tmpfs -o size=3m tmpfs "$disk" || exit 9
head -c "$room" /dev/zero > "$disk/other"
semidml train "$@" --device=cpu --out="$disk/run"; echo "code $?"
semidml runs resume "$disk/run"; echo "code $?"
rm "$disk/other"
mount -o remount,size=100m "$disk"
[ -d "$disk/run" ] || semidml train "$@" --device=cpu --out="$disk/run"
grep -q '"done"' "$disk/run/status.json" || semidml runs resume "$disk/run"
cp -r "$disk/run" "$out"
"""


@pytest.mark.often(1, 12)
def test_a_disk_is_full_in_the_midst_of_a_training(campaign, disk, tmp_path, tell, number):
    chance, config = random.Random(f"full {number}"), setting(number)
    undisturbed = campaign.undisturbed(config)
    room = 3 * 2**20 - int(2 ** chance.uniform(9, 20))
    tell(f"trained on a disk of 3 MB of which {room:,} bytes were taken, and resumed there once", AS_IF)
    done = run_in_shell(FULL, disk, room, tmp_path / "run", *words_for(config), alone=True)
    check_words(done)
    assert done.returncode == 0, done
    run = Run(tmp_path / "run")
    assert run.status().state == "done", (run.status(), done)
    campaign.check_equal(run, undisturbed)


LIMITED = """
limit=$1; out=$2; shift 2
(ulimit -f "$limit"; semidml train "$@" --device=cpu --out="$out"; echo "code $?")
[ -d "$out" ] || semidml train "$@" --device=cpu --out="$out"
grep -q '"done"' "$out/status.json" || semidml runs resume "$out"
"""


@pytest.mark.often(1, 8)
def test_a_file_may_not_be_so_large(campaign, tmp_path, tell, number):
    chance, config = random.Random(f"limit {number}"), setting(number)
    undisturbed = campaign.undisturbed(config)
    blocks = int(2 ** chance.uniform(0, 11))  # of 512 bytes
    tell(f"trained where a file has at most {512 * blocks:,} bytes", AS_IF)
    done = run_in_shell(LIMITED, blocks, tmp_path / "run", *words_for(config))
    check_words(done)
    run = Run(tmp_path / "run")
    assert run.status().state == "done", (run.status(), done)
    campaign.check_equal(run, undisturbed)


ACTS = {  # on a disk with a finished run `a`, a stopped run `b`, and 4 kB left
    "export": 'semidml runs export a "$disk/a.zip"',
    "import": "semidml runs import /tmp/in.zip",
    "rename": "semidml runs rename a c",
    "delete": "semidml runs delete b",
    "train": "semidml train --epochs=2 --device=cpu",
    "evaluate": "semidml evaluate a",
    "list": "semidml runs",
    "resume": "semidml runs resume b",
}
CROWDED = """
disk=$1; source=$2; act=$3; SEMIDML_RUNS="$disk/runs"; export SEMIDML_RUNS
mount -t tmpfs -o size=20m tmpfs "$disk" || exit 9
cp -r "$source" "$disk/runs" || exit 9
head -c 20m /dev/zero > "$disk/other" 2>/dev/null
mount -o "remount,$4" "$disk" || exit 9
sh -c "$act"; echo "code $?"
ls -A "$disk/runs" "$disk"
"""


@pytest.fixture(scope="module")
def two_runs(campaign, tmp_path_factory) -> Path:
    """A folder with a finished run `a` and a stopped run `b`, and beside it in.zip, a run to import."""
    top = tmp_path_factory.mktemp("two")
    runs = top / "runs"
    campaign.undisturbed(setting(0))
    (whole,) = [run for run in listing_of(campaign) if run.status().state == "done"][:1]
    for name in ("a", "b"):
        shutil.copytree(whole.path, runs / name)
    status = (runs / "b" / "status.json").read_text()
    (runs / "b" / "status.json").write_text(status.replace('"done"', '"stopped"'))
    (runs / "b" / "weights.safetensors").unlink()
    done = run_in_shell(f'SEMIDML_RUNS="{runs}" semidml runs export a "{top}/in.zip"')
    assert done.returncode == 0, done
    return runs


def listing_of(campaign: Campaign) -> list[Run]:
    return [Run(path) for path in sorted(campaign.supervisor.root.iterdir())]


@pytest.mark.parametrize("options", ["rw", "ro"])
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.whole
def test_an_act_where_nothing_can_be_written(two_runs, disk, tell, act, options):
    where = "on a full disk" if options == "rw" else "on a read-only disk"
    tell(f"`{ACTS[act]}` {where}", "it is done or said in one plain sentence, and nothing is half done")
    command = (
        ACTS[act]
        .replace("/tmp/in.zip", str(two_runs.parent / "in.zip"))
        .replace("semidml", f"{sys.executable} -m semidml")
    )
    command = command.replace("$disk", str(disk))
    done = run_in_shell(CROWDED, disk, two_runs, command, options, alone=True)
    assert done.returncode == 0, done.stderr[-2000:]
    check_words(done)
    code = int(done.stdout.split("code ")[1].split()[0])
    names = done.stdout.split("code ")[1].split()[1:]
    last = done.stderr.strip().splitlines()[-1:] or [""]
    assert code in (0, 1, 2) and (code == 0 or last[0].startswith("semidml: ")), done.stderr[-2000:]
    if options == "ro" and act not in ("list", "evaluate"):
        assert code and "can only be read" in last[0], done.stderr[-2000:]
    assert not [name for name in names if name.startswith((".import", ".a.zip"))], names
    assert "a" in names or act == "rename", names


# ---- clocks


SHIFTED = """
import sys, time
real, wall, began = time.time, {shift}, time.monotonic()
time.time = lambda: real() + wall + {jump} * (time.monotonic() - began > 4)
from semidml.cli import main
sys.exit(main(sys.argv[1:]))
"""
CLOCKS = {
    "an hour ahead": (3600, 0),
    "ten years behind": (-315_360_000, 0),
    "set back": (0, -7200),
    "set ahead": (0, 7200),
}


@pytest.mark.whole
@pytest.mark.parametrize("clock", CLOCKS)
def test_a_clock_that_is_off(campaign, tmp_path, tell, clock):
    tell(f"trained, killed and resumed where the clock was {clock}", AS_IF)
    config = setting(0)
    undisturbed, run = campaign.undisturbed(config), Run(tmp_path / "run")
    shift, jump = CLOCKS[clock]
    code = SHIFTED.format(shift=shift, jump=jump)
    words = [sys.executable, "-c", code, "train", *words_for(config), "--device=cpu", f"--out={run.path}"]
    with subprocess.Popen(words, env=command_environment(), stdout=-1, stderr=-1, text=True) as process:
        until(lambda: run.path.is_dir() and (run.resume_epoch() >= 1 or process.poll() is not None))
        end_process(process.pid, "SIGKILL")
        process.communicate()
    assert run.status().state in ("interrupted", "done"), run.status()
    assert listing.open_run("run", tmp_path).created() > 0
    if run.status().state != "done":
        _, error = start_command(tmp_path, "runs", "resume", str(run.path)).communicate()
        assert run.status().state == "done", error
    campaign.check_equal(run, undisturbed)
