"""Labelled data for fine-tuning: readers, checks, splits and bundled tasks."""

from bortlab.data.labelled.checks import Finding, check
from bortlab.data.labelled.columns import Columns, guess
from bortlab.data.labelled.errors import DataError
from bortlab.data.labelled.examples import SPLITS, Example, LabelledData, LabelOf
from bortlab.data.labelled.fetched import fetch_task
from bortlab.data.labelled.formats import Source, read_table
from bortlab.data.labelled.labels import TASKS
from bortlab.data.labelled.reading import read
from bortlab.data.labelled.stored import fingerprint, store, stored
from bortlab.data.labelled.tables import Table
from bortlab.data.labelled.tasks import Card, labelled, load_task, tasks

__all__ = [
    "SPLITS",
    "TASKS",
    "Card",
    "Columns",
    "DataError",
    "Example",
    "Finding",
    "LabelOf",
    "LabelledData",
    "Source",
    "Table",
    "check",
    "fetch_task",
    "fingerprint",
    "guess",
    "labelled",
    "load_task",
    "read",
    "read_table",
    "store",
    "stored",
    "tasks",
]
