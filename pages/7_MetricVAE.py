"""A lesson: metric vae. See `semidml.lessons`."""

from semidml.ui import lesson

lesson.show("metric vae")
