"""Views: a record in, a plotly Figure or safe HTML out. Usable in a notebook; nothing here knows of Streamlit."""
