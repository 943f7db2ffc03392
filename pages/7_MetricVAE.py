"""A lesson: metric vae. See `semidml.lessons`."""

from semidml.ui import lesson

lesson.draw_lesson("metric vae")
