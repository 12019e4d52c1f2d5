"""Home: what is here, and what should I try?"""

from __future__ import annotations

from bortlab.ui import home, shared

shared.introduce("home")
home.ideas()
home.what_to_try()
home.questions()
home.models()
