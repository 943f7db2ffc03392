"""The server behind its gate, and its first page.

python -m streamlit run app.py
"""

from starlette.middleware import Middleware
from streamlit.starlette import App

from semidml.ui import gate, intake

if __name__ == "__main__":  # as the first page, which Streamlit runs for each visitor
    from semidml.ui.home import draw_home

    draw_home()
else:  # as the server, which `streamlit run` finds here and starts once
    server = App(__file__, middleware=[Middleware(gate.Gate), Middleware(intake.Intake)], lifespan=gate.opened_browser)
