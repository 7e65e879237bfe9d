"""A provider, a machine and settings, ready to judge whatever they are asked about, at once and without waiting."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from modelshelf.catalog.types import RepoDetail
from modelshelf.compat import answers
from modelshelf.compat.candidates import Candidate, of_candidate
from modelshelf.compat.engines import Engine, on_thought_of
from modelshelf.compat.judge import judge
from modelshelf.compat.machine import Machine
from modelshelf.compat.measures import Measures, measure
from modelshelf.compat.score import Question
from modelshelf.compat.speed import Pace
from modelshelf.compat.subjects import Subject, key_of
from modelshelf.compat.types import Compatibility, Confidence, Fix, RankedFile, Settings
from modelshelf.metadata.facts import ModelFacts

type Paces = Callable[[str], Pace | None]


@dataclass(frozen=True, slots=True)
class Asking:
    """How a provider would be asked to run a model.

    required: the context must not be shortened. needs, wants: abilities that a model must, and should, have. refused:
    licences that are not used here. held: bytes that other models hold and would give back, by the name to unload.
    """

    provider: str
    label: str
    engine: Engine
    machine: Machine
    settings: Settings
    required: bool = False
    needs: frozenset[str] = frozenset()
    wants: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    held: Mapping[str, int] = field(default_factory=dict)

    def judge(
        self,
        facts: ModelFacts,
        model: str,
        *,
        fixes: bool = True,
        pace: Pace | None = None,
        measures: Measures | None = None,
    ) -> Compatibility:
        """Judge facts."""
        question = Question(
            facts, self.settings, self.machine, self.engine, self.required, measures,
            self.needs, self.wants, self.refused, pace, self.held if fixes else {},
        )  # fmt: skip
        # Facts of sizes alone stay an estimate, whatever the formulas would allow.
        sure = None if facts.layers else Confidence.ESTIMATE
        return judge(question, model=model, provider=self.provider, confidence=sure, fixes=fixes)

    def changed(self, changes: Mapping[str, Any]) -> "Asking":
        """The same with other settings; a context among them is required."""
        if not changes:
            return self
        required = self.required or "context" in changes
        return replace(self, settings=replace(self.settings, **changes), required=required)

    def answer(self, subject: Subject, paces: Paces, *, fixes: bool = True) -> Compatibility:
        """Judge a subject. Of several files the one that does best here is meant, and named."""
        if subject.detail is None:
            if subject.facts is None:
                return answers.unknown(subject.model, self.provider)
            return self.judge(subject.facts, subject.model, fixes=fixes, pace=paces(subject.key))
        if not subject.choices:
            return answers.no_weights(subject.model, self.provider)
        best, facts = self.best(subject, subject.detail)
        pace = paces(key_of(subject.detail.card.repo, best.files[0]))
        answer = self.judge(facts, subject.model, fixes=fixes, pace=pace)
        if subject.error is not None:
            answer = answers.unread(answer, subject.error)
        if len(subject.choices) > 1:
            answer = answers.chosen_file(answer, best.files[0], len(subject.choices))
        return answer

    def best(self, subject: Subject, detail: RepoDetail) -> tuple[Candidate, ModelFacts]:
        """The file, of those to choose from, that does best here; with its facts."""
        ranked = self.rank(detail, subject)
        best = next(one for one in subject.choices if one.files == ranked[0].files)
        if subject.facts is not None and subject.facts.size == best.size:
            return best, subject.facts
        return best, of_candidate(best, subject.facts, detail.card)

    def rank(self, detail: RepoDetail, subject: Subject) -> tuple[RankedFile, ...]:
        """The ways to have a repository, the best here first."""
        rows = []
        for one in subject.choices:
            model = str(replace(detail.card.id, revision=detail.commit, file=one.files[0]))
            facts = of_candidate(one, subject.facts, detail.card)
            rows.append(RankedFile(one.files, one.size, one.quantisation, self.judge(facts, model, fixes=False)))
        return tuple(sorted(rows, key=_standing, reverse=True))


@dataclass(frozen=True, slots=True)
class WhatIf:
    """One model and provider, to be asked again and again with other settings or another machine, at once.

    `context_limit` is the longest context the model was made for, None if it does not say.
    """

    subject: Subject
    asking: Asking
    context_limit: int | None = None
    _pace: Pace | None = None
    _facts: ModelFacts | None = None
    _measures: Measures | None = None

    @classmethod
    def of(cls, subject: Subject, asking: Asking, paces: Paces) -> "WhatIf":
        """Draw once what all answers need."""
        facts, key = subject.facts, subject.key
        if subject.detail is not None and subject.choices:
            best, facts = asking.best(subject, subject.detail)
            key = key_of(subject.detail.card.repo, best.files[0])
        limit = facts.context if facts else None
        return cls(subject, asking, limit, paces(key), facts, measure(facts) if facts else None)

    @property
    def settings(self) -> Settings:
        """The settings of which the answers start."""
        return self.asking.settings

    @property
    def machine(self) -> Machine:
        """The machine that is asked about."""
        return self.asking.machine

    def answer(self, settings: Settings | None = None, machine: Machine | None = None) -> Compatibility:
        """The answer for these settings, none of them changed, on this machine; speeds of other machines are ranges."""
        if self._facts is None:
            return answers.unknown(self.subject.model, self.asking.provider)
        engine = self.asking.engine if machine is None else on_thought_of(self.asking.engine, machine)
        asking = replace(
            self.asking,
            engine=engine,
            settings=settings or self.asking.settings,
            machine=machine or self.asking.machine,
            required=self.asking.required or settings is not None,
            held=self.asking.held if machine is None else {},
        )
        pace = self._pace if machine is None else None
        return asking.judge(self._facts, self.subject.model, pace=pace, measures=self._measures)


def with_other_provider(
    answer: Compatibility, others: Sequence[Compatibility], names: Mapping[str, str]
) -> Compatibility:
    """Propose the provider that does best, if it does better."""
    best = max(others, key=lambda other: other.score or 0, default=None)
    if best is None or not best.available or (best.score or 0) < (answer.score or 0) + answers.WORTH:
        return answer
    name = names.get(best.provider, best.provider)
    fix = Fix("PROVIDER", f"Use {name} instead.", best.score or 0, {"provider": best.provider})
    return replace(answer, fixes=(*answer.fixes, fix))


def _standing(row: RankedFile) -> tuple[int, int]:
    """The better score first; of equals the larger, or where nothing runs the one that is nearest to it."""
    score = row.compatibility.score or 0
    return score, row.size if score else -row.size
