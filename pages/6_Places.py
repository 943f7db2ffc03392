"""A lesson: places. See `semidml.lessons`."""

from semidml.ui import lesson

lesson.draw_lesson("places")
