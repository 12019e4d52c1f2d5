"""Labelled data for fine-tuning: readers, checks, splits and bundled tasks."""

from bortlab.data.labelled.examples import SPLITS, Example, LabelledData, LabelOf

__all__ = ["SPLITS", "Example", "LabelOf", "LabelledData"]
