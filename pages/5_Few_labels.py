"""A lesson: few labels. See `semidml.lessons`."""

from semidml.ui import lesson

lesson.show("few labels")
