"""Home: what is here, and where do I begin?"""

from __future__ import annotations

from bortlab.ui import home, shared

shared.introduce("home")
home.ways_in()
home.ideas()
home.pages()
