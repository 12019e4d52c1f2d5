"""Where a lesson runs: how it gets its models, how they are asked, and in which colours it draws."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from bortlab import registry
from bortlab.model import Model
from bortlab.views.theme import Look

T = TypeVar("T")


class Ask(Protocol):
    """Computes question(model); equal keys are the same question."""

    def __call__(self, model: Model, key: Hashable, question: Callable[[Model], T], /) -> T: ...


@dataclass(frozen=True, slots=True)
class Context:
    """load: the model of a key. ask: lets somebody compute a question to it. title: of a model's key."""

    load: Callable[[str], Model]
    ask: Ask
    title: Callable[[str], str]
    look: Look

    def of(self, key: str, name: str, question: Callable[[Model], T], *more: Hashable) -> T:
        """The answer of the model of this key. name, more: what the question is, and what else it depends on."""
        return self.ask(self.load(key), ("lesson", name, *more), question)


def of_registry(look: Look) -> Context:
    """Without a lab: models from the registry, asked at once."""
    return Context(registry.load, lambda model, _, question: question(model), title_of, look)


def title_of(key: str) -> str:
    """A model's title in the catalogue; its key where it has none."""
    try:
        return registry.find(key)[1].title
    except registry.UnknownModelError:
        return key
