"""What visitors have sent and not yet added: a file each, on the disk until it is added or they leave the page."""

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from semidml.data import store, uploads
from semidml.data.choices import Choices
from semidml.data.once import Once
from semidml.tasks import Progress, Task

if TYPE_CHECKING:
    from semidml.data.layout import Question
    from semidml.data.look import Understood

BROUGHT = "brought"  # where the session has it
GONE = (
    "What you sent is no longer here: it goes when the connection to the page is lost, or when nobody has touched it "
    "for an hour. Nothing was added; send it again."
)
_turn = threading.Lock()  # files are looked at one after the other: some fill the memory while they are
_all: dict[str, "Brought"] = {}  # by session
_lock = threading.Lock()


class Abandoned(Exception):
    """Raised where a look goes on that nobody waits for any longer."""


@dataclass(eq=False)
class Brought:
    """A file that a visitor has sent, what it was understood to be, and what they chose instead."""

    incoming: uploads.Incoming
    choices: Choices = field(default_factory=Choices)
    known: "Understood | None" = None  # by the last look that went well
    error: str = ""  # why the last look did not
    asked: "dict[str, Question]" = field(default_factory=dict)  # {key: the question as it was before it was answered}
    roles: dict[str, str] = field(default_factory=dict)  # {folder: what it was before somebody said otherwise}
    _once: Once = field(default_factory=Once)
    _task: Task | None = None
    _gone: bool = False

    @property
    def name(self) -> str:
        return self.incoming.filename

    def start_look(self) -> Task:
        """The look at the file with the choices as they are: the one that runs or is over, or a new one."""
        if self._task is None:
            self._task = Task(self._look_with(self.choices))
            self._task.start()
        return self._task

    def take_result(self) -> None:
        """What came of a look that is over."""
        task = self.start_look()
        self.error = task.error
        if task.result is None:
            return
        self.known = task.result
        for question in self.known.questions:
            if not self.is_answered(question.key):
                self.asked[question.key] = question
        for folder in self.known.folder_counts:
            if folder not in self.choices.folders:
                self.roles[folder] = self.known.folders.get(folder, "class")

    def is_answered(self, key: str) -> bool:
        """Whether something was chosen for a key of `Choices`."""
        return bool(self.choices.value_of(key))

    def choose(self, key: str, value: str, default: str) -> None:
        """Choose a value for a key of `Choices`; by `default` it is what it would be without."""
        plain = self.choices.without(key)
        self.choose_all(plain if value == default else plain.with_value(key, value))

    def choose_all(self, choices: Choices) -> None:
        """Choose; the file is looked at anew where that changes anything."""
        if choices != self.choices:
            self.choices, self._task = choices, None

    def _look_with(self, choices: Choices) -> Any:
        def work(progress: Progress) -> "Understood":
            from semidml.data.look import look

            def tell(fraction: float, text: str) -> None:
                if self._gone or self.choices != choices:
                    raise Abandoned
                progress(fraction, text)

            try:
                with _turn:
                    tell(0.0, "Reading what the file holds")
                    path, folder = str(self.incoming.path), self.incoming.folder
                    return look(path, choices, folder, once=self._once, progress=tell)
            finally:
                if self._gone:
                    self._once.close()

        return work

    def add(self, name: str, progress: Progress) -> None:
        """Make it a data set; see `uploads.Incoming.add`."""
        self.incoming.add(name, self.choices, progress)
        self.leave()

    def leave(self) -> None:
        """Keep nothing of it."""
        self._gone = True
        self._once.close()
        self.incoming.remove()


def take_in(file: Any) -> None:
    """Receive a file of an uploader.
    Raises: ValueError when there is no room for it."""
    leave()
    brought = Brought(uploads.receive(file, file.name, store.data_folder()))
    st.session_state[BROUGHT] = brought
    context = get_script_run_ctx()
    with _lock:
        _all[context.session_id if context else ""] = brought


def find_brought() -> Brought | None:
    """What this visitor has sent and not added; None where there is nothing (any more, which the page then says)."""
    brought = st.session_state.get(BROUGHT)
    if brought is not None and not brought.incoming.is_here():
        leave()
        st.session_state["outcome"] = (False, GONE)
        return None
    return brought


def leave() -> None:
    """Let go of what this visitor has sent and not added."""
    if brought := st.session_state.pop(BROUGHT, None):
        brought.leave()


def leave_closed_pages() -> None:
    """Let go of what pages have sent that are closed now."""
    if runtime.exists():
        server = runtime.get_instance()
        leave_pages([session for session in list(_all) if not server.is_active_session(session)])


def leave_pages(sessions: list[str]) -> None:
    for session in sessions:
        with _lock:
            brought = _all.pop(session, None)
        if brought is not None:
            brought.leave()


def leave_all() -> None:
    """Let go of all that was sent and not added, as when the server ends."""
    leave_pages(list(_all))
