"""What a lesson is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Text = Annotated[str, Field(min_length=1)]


class LessonError(ValueError):
    """A lesson's file cannot be used; the message says which one, where, and what to write instead."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Source(_Record):
    """Where a claim of the lesson is published. section: a section, table or figure of it."""

    paper: Text
    section: Text
    url: Text


class Header(_Record):
    """The top of a file. text, models: what views and questions take that name none of their own."""

    title: Text
    question: Text
    minutes: int = Field(ge=1, le=90)
    sources: tuple[Source, ...] = Field(min_length=1)
    text: str | None = None
    models: tuple[str, ...] = ()

    @property
    def settings(self) -> dict[str, Any]:
        """The text and the models, where they are given."""
        given = {"text": self.text, "models": self.models or None, "model": self.models[0] if self.models else None}
        return {name: value for name, value in given.items() if value is not None}


class Show(BaseModel):
    """A view of the lab: its name in SCENES, and its settings."""

    model_config = ConfigDict(frozen=True, extra="allow")

    show: Text

    @property
    def settings(self) -> dict[str, Any]:
        """All but the name."""
        return dict(self.model_extra or {})


class Question(_Record):
    """A question whose right answer is computed.

    choice: one of the options is right, the one whose `measure` is the largest, or the smallest; `over` names the
    setting of the measure that the options fill, and a mapping gives each option a label. number: the measure itself,
    to within `within`, guessed in whole numbers from `low` to `high`. word: the first word of a ranking. given:
    settings of the measure. because: what is said after the guess. number: which question of the lesson it is, from 1.
    """

    ask: Text
    kind: Literal["choice", "number", "word"]
    measure: Text
    given: Mapping[str, Any] = Field(default_factory=dict, alias="with")
    options: tuple[Any, ...] | dict[str, Any] = ()
    over: str = ""
    pick: Literal["largest", "smallest"] = "largest"
    low: float = 0.0
    high: float = 100.0
    within: float = 0.0
    because: str = ""
    number: int = 0

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Question:
        if self.kind == "choice" and (len(self.choices) < 2 or not self.over):
            raise ValueError("a choice needs at least two different options, and over: the setting that they fill")
        if self.kind == "number" and not (self.low < self.high and 0 < self.within <= (self.high - self.low) / 4):
            raise ValueError("a number needs low < high, and within: at most a quarter of the way between them")
        return self

    @property
    def choices(self) -> dict[str, Any]:
        """What is chosen from, by label; models are named by their keys."""
        if isinstance(self.options, dict):
            return self.options
        return {str(value): value for value in self.options}


Block = str | Show | Question


@dataclass(frozen=True, slots=True)
class Step:
    """A part of a lesson under a heading: prose in Markdown, views and questions, in order."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson. key: the name of its file."""

    key: str
    header: Header
    steps: tuple[Step, ...]

    @property
    def title(self) -> str:
        """What it is called."""
        return self.header.title

    @property
    def questions(self) -> tuple[Question, ...]:
        """Its questions, in order."""
        return tuple(block for step in self.steps for block in step.blocks if isinstance(block, Question))
