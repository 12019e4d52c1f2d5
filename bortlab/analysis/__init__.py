"""Analyses: a model or a trace in, a frozen record out. Nothing here draws, prints or knows of a browser."""
