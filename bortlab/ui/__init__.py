"""The pages' shared parts: the only package that imports Streamlit."""
