"""A lesson: places. See `semidml.lessons`."""

from semidml.ui import lesson

lesson.show("places")
