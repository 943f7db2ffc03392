"""semidml/REFERENCE.md, made of the tables in the code."""

from collections.abc import Sequence

from semidml.config import FAMILIES, allowed, declared_knobs
from semidml.scores.table import GROUPS, RAW, SCORES
from semidml.words import value_words

PLURALS = {  # of the families, as the reference heads their tables
    "model": "Models",
    "prior": "Priors",
    "loss": "Losses",
    "encoder": "Encoders",
    "schedule": "Schedules",
    "variant": "Variants of CBSwR",
    "formulas": "Formulas of CBSwR",
    "data": "Data sets",
}
REFERENCE = """# Reference

What can be chosen, turned and scored, as `python -m semidml knobs` prints it out of the tables in the code. Names are
the same on the command line, on the pages, in links and in `config.json`. How to read the scores is told in
[the README](../README.md#reading-the-scores).

## Images without a label

A label of -1, -100 (PyTorch's), NaN or an empty text says that an image has none, and so do texts as `unlabeled`,
`None`, `n/a` or `?` (`no_label=nan` makes these a class) and its place beside class folders. To remove labels is the
same as to hide them: a training on what is left has the same weights as one whose `--pl` sees just those.

- **Training.** An epoch is a pass over all training images. Reconstruction, prior and CBSwR learn from those without a
  label as from all others; the metric loss never sees them, and `--labelled-per-class` counts images with a seen label.
- **Labels seen.** `--pl` is a percentage of the labels that the training split has: 60 of 600 labels, 50,000 images
  without. They are drawn as if the other images were not there.
- **Splits.** What is held out, for testing where there is no test split and for `--evaluate-on validation`, is held out
  of the images with a label, evenly of the classes; the others stay in training. Where no class has two images it is a
  share of those without a label. `--split classes` leaves them out: they may be of a test class.
- **Scores.** Classifiers are fitted on images with a label. k-means, recall, MAP@R, and how clusters and components
  agree with classes, are of test images with a label, among one another; spread, rank, reconstruction, KL and
  entropies are of all. Where no test image has a label the former are absent, and `failed` in `metrics.json` says why.
- **Maps and tables.** An image without a label has a grey of its own and perhaps a prediction, and is neither right nor
  wrong. In a downloaded table its class is empty, in arrays -1.
- **Without two classes** what learns from labels is refused, with what can be trained instead.

## Sweeps

`sweep` takes the options of `train` but `--seed`, and further:

- **`--vary KNOB=VALUES`**, for up to four knobs: `alpha=0.01,0.1,0.5`; `alpha=0..1/5`, five values, evenly from 0 to
  1; where values have commas, bars between them: `positions=0,0;3,0|0,0;0,3`. Each value lies in the knob's bounds; a
  combination that is refused is a failed cell with its reason. At most 10,000 runs.
- **`--seeds`** 10, as many from 0, or 3,5,8, these. `--name` is by data, model and knobs unless it is given.
- **Seeds alone**, without `--vary`: one setting with each seed. A finished run that has this setting, a seed of these
  and these data is taken as it is, wherever it was trained one by one; the others have live scores of each epoch.
- **Held out.** A run trains without the images that settings are chosen on: the validation split or, without one, a
  tenth of the training images. It is scored on these and on the test images. With `--evaluate-on test` it trains on
  all and is scored on the test images alone; then no setting is called the best.
- **The folder**: `plan.json`, `runs/`, `table.parquet`. A run's name is a digest of the knobs that have an effect and
  of the data. One that is done is never trained again; one that failed is tried again when the sweep goes on.
- **The table** has a row a cell: the varied knobs, `seed`, `cell` (the run), `state` (done, running, waiting, stopped,
  interrupted, failed), `why`, `seconds`, `bytes`, and each score below as `validation_` and `test_`.
  Means, sd (n - 1) and n are over seeds. The best setting is chosen by held-out images, over the seeds that all have;
  one with fewer than half of the seeds of another is left out. A table that was lost or edited is made anew.

## Many runs on other machines

Many runs train on processes of their own machine, one a core or GPU, which end with whoever started them. `--scheduler`
or `SEMIDML_SCHEDULER` names a [Dask](https://distributed.dask.org) scheduler instead, and what workers it has train:

```sh
# on one machine of a network that is trusted; its pages are for that machine
dask scheduler --host 10.0.0.1 --dashboard-address 127.0.0.1:8787
# on each machine that trains, where semidml and the data are
dask worker tcp://10.0.0.1:8786 --nthreads 1 --nworkers 8 --dashboard-address 127.0.0.1:0
# one a GPU (not run here)
CUDA_VISIBLE_DEVICES=0 dask worker tcp://10.0.0.1:8786 --nthreads 1 --dashboard-address 127.0.0.1:0
export SEMIDML_SCHEDULER=tcp://10.0.0.1:8786
```

Three machines by ssh are the same commands, sent: `ssh node1 'cd semidml && .venv/bin/dask worker ...'`. Not run here:

```python
from dask_jobqueue import SLURMCluster  # of dask-jobqueue; for Kubernetes: dask_kubernetes.operator.KubeCluster
cluster = SLURMCluster(cores=1, processes=1, memory="4GB", walltime="08:00:00")  # for a GPU each: job_extra_directives
cluster.scale(20)
print(cluster.scheduler_address)        # for --scheduler, as long as this process lives
```

- **Workers** have one thread (`--nthreads 1`); how many torch takes is `OMP_NUM_THREADS`, 1 where
  nobody sets it. What Dask sets for its workers' memory (`MALLOC_TRIM_THRESHOLD_`), which makes steps of small networks
  take 1.6 times as long, is undone.
  They need the same release of semidml and the same data; one that lacks either says so, and others take the run.
- **Disk.** Where a worker sees the runs' folder, under the same path, it writes there, and after a crash a run goes on
  from its last saved epoch. Where it does not, settings and results travel as the zip that `runs export` makes, of at
  most 200 MB, are checked as an imported one is, and a run that was stopped goes on from what came back.
- **Loss.** A worker that is killed costs what its run did since its last saved epoch, five seconds or so. A run whose
  workers are lost three times (or as often as the scheduler's `allowed-failures` says, where that is more) before it
  comes further has failed, and the others go on. When the scheduler goes, what was trained is kept, and the same
  command goes on.
- **Security.** A Dask scheduler runs whatever is sent to it, by whoever reaches it. The one of this machine listens to
  127.0.0.1 only, and to who has the certificate that it made for its own workers; another belongs into a network that
  is trusted, or gets certificates: `tls://` and `distributed.comm.tls` of Dask's own configuration, on all sides."""


def tables() -> str:
    """What can be chosen, turned and scored, as Markdown: semidml/REFERENCE.md, whole."""
    parts = [REFERENCE]
    for family, plural in PLURALS.items():
        rows = []
        for entry in FAMILIES[family].values():
            file = f"`{entry.target.partition(':')[0].replace('.', '/')}.py`" if entry.target else ""
            rows.append((f"`{entry.name}`", entry.title, entry.summary, entry.paper, file))
        table = markdown(("name", "what", "in words", "source", "file"), rows)
        parts.append(f"## {plural}\n\n`--{family}`\n\n{table}")
    rows = []
    for name, knob in declared_knobs().items():
        bounds = "see above" if name in FAMILIES else allowed(knob)
        rows.append((f"`--{name.replace('_', '-')}`", knob.help, value_words(knob.default), bounds))
    parts.append("## Knobs\n\n" + markdown(("option", "what", "default", "allowed"), rows))
    scores = [score for score in SCORES.values() if not score.name.endswith(RAW)]
    rows = [(f"`{s.name}`", s.title, s.summary, s.unit, s.better, GROUPS[s.group].title.lower()) for s in scores]
    head = ("in metrics.json", "what", "of which rows, and its range", "unit", "better", "group")
    parts.append("## Scores\n\n" + markdown(head, rows))
    raw = f"A name with `{RAW}` after it is the same score of the latents as they are, however long"
    parts.append(f"{raw}, where the loss trains directions and the score without it is of those.")
    return "\n\n".join(parts)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; a bar within a cell is no border."""
    lines = [[cell.replace("|", r"\|") for cell in line] for line in (head, ["---"] * len(head), *rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
