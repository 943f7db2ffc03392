"""A lesson: few labels. See `semidml.lessons`."""

from semidml.ui import lesson

lesson.draw_lesson("few labels")
