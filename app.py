"""The server: home.py and pages/ behind a gate that no page of another site passes.

python -m streamlit run app.py
"""

from starlette.middleware import Middleware
from streamlit.starlette import App

from semidml.ui import gate

server = App("home.py", middleware=[Middleware(gate.Gate)], lifespan=gate.opened_browser)
