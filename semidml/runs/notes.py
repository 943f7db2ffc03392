"""What a person writes of a run: tags and a note, plain text of bounded length, in notes.json of the run's folder.

Several may write at once: each change holds a lock, adds or takes away what it is about and leaves all else; a note is
replaced only by who has seen the one that it replaces."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from semidml.disk import files, locks
from semidml.runs.run import Run, for_contents
from semidml.words import damage_words, printable

FILE, LOCK = "notes.json", "notes.lock"
MOST_TAGS, MOST_TAG, MOST_NOTE = 20, 40, 4000  # tags of a run, characters of a tag and of a note
SECONDS_TO_WAIT = 5.0  # for others who write of the same run, each of whom takes milliseconds
APART = ",;"  # stand between tags where several are typed


def check_tag(text: str) -> str:
    """A tag as it is kept, without room around it.
    Raises: ValueError when it is none: empty, too long, with a sign that stands between tags or cannot be printed."""
    tag = " ".join(text[: 10 * MOST_TAG].split())
    if not tag or len(tag) > MOST_TAG or not tag.isprintable() or set(tag) & set(APART):
        raise ValueError(
            f"a tag is 1 to {MOST_TAG} letters, digits, signs or spaces, without comma or semicolon; "
            f"got {text[: MOST_TAG + 10]!r}"
        )
    return tag


def split_tags(text: str) -> list[str]:
    """The tags of a text in which commas or semicolons stand between them.
    Raises: ValueError as `check_tag`."""
    return [check_tag(part) for part in text.replace(";", ",").split(",") if part.strip()]


def clean_note(text: str) -> str:
    """A note as it is kept: its lines, whose control characters, and those that turn the direction of writing, are
    seen and do nothing.
    Raises: ValueError when it is too long."""
    if len(text) > MOST_NOTE:
        raise ValueError(f"a note has at most {MOST_NOTE:,} characters, got {len(text):,}")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(printable(line.replace("\t", " ")).rstrip() for line in lines).strip()


def _check_note(text: str) -> str:
    if clean_note(text) != text:
        raise ValueError("a note must be plain lines of text")
    return text


class Notes(BaseModel):
    """What notes.json holds."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    tags: Annotated[list[Annotated[str, AfterValidator(check_tag)]], Field(max_length=MOST_TAGS)] = []
    note: Annotated[str, AfterValidator(_check_note)] = ""


NOTHING = Notes()


@for_contents
def _notes_in(content: bytes) -> Notes:
    try:
        return Notes.model_validate(files.json_object(content, FILE))
    except ValidationError as error:
        raise ValueError(f"{FILE} is damaged: {damage_words(error)}") from None


def read_notes(run: Run) -> Notes:
    """The tags and the note of a run.
    Raises: ValueError when notes.json is damaged."""
    path = run.path / FILE
    return _notes_in(files.read_content(path)) if path.exists() else NOTHING


def change_tags(run: Run, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Notes:
    """Gives a run tags and takes tags from it; those that others have given it meanwhile stay. What it has then. Tags
    that differ in capital letters alone are the same.
    Raises: ValueError for a tag that is none, where they become too many, and of a run that ships with the project."""
    added, gone = [check_tag(tag) for tag in add], {check_tag(tag).casefold() for tag in remove}
    with _alone(run):
        notes = read_notes(run)
        kept = {tag.casefold(): tag for tag in notes.tags if tag.casefold() not in gone}
        for tag in added:
            kept.setdefault(tag.casefold(), tag)
        if len(kept) > MOST_TAGS:
            raise ValueError(f"a run has at most {MOST_TAGS} tags; {run.id} would have {len(kept)}")
        return _write(run, Notes(tags=sorted(kept.values(), key=str.casefold), note=notes.note))


def write_note(run: Run, text: str, before: str | None = None) -> Notes:
    """Replaces the note of a run. before: the note that its writer has seen, None of who replaces any.
    Raises: ValueError where another one stands there by now, when it is too long, and of a run that ships with the
    project."""
    note = clean_note(text)
    with _alone(run):
        notes = read_notes(run)
        if before is not None and notes.note not in (before, note):
            raise ValueError(
                f"the note of {run.id} was changed by somebody else meanwhile: read it below, then save yours again"
            )
        return _write(run, Notes(tags=notes.tags, note=note))


@contextmanager
def _alone(run: Run) -> Iterator[None]:
    """Holds the lock of a run's notes, which its training does not hold: a run can be noted while it goes on.
    Raises: ValueError of a run that is gone or ships with the project, and when others hold it for too long."""
    if run.is_shipped:
        raise ValueError(f"{run.id} ships with the project: tags and notes are for your own runs")
    until = time.monotonic() + SECONDS_TO_WAIT

    def wait() -> None:
        if time.monotonic() > until:
            raise ValueError(f"somebody else writes of {run.id} now: try again")

    try:
        with locks.alone(run.path / LOCK, wait):
            yield
    except FileNotFoundError:
        raise ValueError(f"there is no run called {run.id!r}") from None


def _write(run: Run, notes: Notes) -> Notes:
    if notes == NOTHING:
        (run.path / FILE).unlink(missing_ok=True)
    else:
        files.replace_file(run.path / FILE, files.as_json(notes.model_dump()))
    return notes
