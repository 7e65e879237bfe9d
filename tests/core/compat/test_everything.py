"""What is reckoned for thousands of cells at once is what the judge says of each model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelshelf.catalog.columns import bits
from modelshelf.catalog.columns.cells import STEPS
from modelshelf.catalog.columns.pages import Sort
from modelshelf.catalog.query import parse
from modelshelf.catalog.types import RepoCard
from modelshelf.compat.asking import Asking
from modelshelf.compat.engines import Engine, engine, on_this
from modelshelf.compat.everything import Cells, Standing, scores, spread
from modelshelf.compat.guessed import Sized, guessed
from modelshelf.compat.machine import Gpu, Machine
from modelshelf.compat.types import Settings
from modelshelf.metadata.facts import ModelFacts
from modelshelf.metadata.listed import of_card
from tests.core.catalog import columns

GIB = 1 << 30
CARD = Gpu("a card", "nvidia", 24 * GIB, 23 * GIB, 936e9, compute="8.9")
MACHINES = (
    Machine("a laptop", "", 8, 16 * GIB, 11 * GIB, memory_bandwidth=40e9),
    Machine("a card", "", 16, 64 * GIB, 50 * GIB, gpus=(CARD,)),
    Machine("two cards", "", 16, 64 * GIB, 50 * GIB, gpus=(CARD, replace(CARD, memory_free=9 * GIB))),
    Machine(
        "one memory", "", 8, 32 * GIB, 24 * GIB, gpus=(Gpu("m", "apple", 24 * GIB, 20 * GIB, 100e9, unified=True),)
    ),
    Machine("tiny", "", 1, GIB, GIB // 8),
)
KINDS = ("builtin", "ollama", "vllm", "sglang", "transformers", "mlx")
asked = st.builds(
    lambda kind, machine, ours, required: Asking(kind, kind, on_this(_engine(kind), machine), machine, ours, required),
    st.sampled_from(KINDS),
    st.sampled_from(MACHINES),
    st.builds(Settings, st.sampled_from([512, 700, 4096, 32768]), st.sampled_from(["f16", "q8_0"]), st.integers(1, 4)),
    st.booleans(),
)


def _engine(kind: str) -> Engine:
    found = engine(kind)
    assert found is not None
    return found


@settings(max_examples=80, deadline=None)
@given(asked, st.integers(1, 2**38), st.none() | st.integers(1, 2**38), st.none() | st.integers(1, 2**18))
def test_the_guess_over_arrays_is_the_judge_s(
    asking: Asking, size: int, parameters: int | None, context: int | None
) -> None:
    kind = min(asking.engine.formats)
    facts = ModelFacts(
        kind, size, parameters=parameters, context=context, quantisation="F16", chat_template="", weights=size, tier=0
    )
    answer = asking.judge(facts, "x", fixes=False)
    codes = {reason.code for reason in answer.reasons}
    sized = Sized(np.array([float(size)]), np.array([parameters or size * 8 / 4.85]), np.array([context or 0]))
    found = 100 * np.exp(guessed(asking, asking.engine.family_for(kind), sized))[0]
    if codes & {"ARCH_UNSUPPORTED", "QUANT_HW_UNSUPPORTED", "CTX_TOO_LONG", "FORMAT_UNSUPPORTED"}:
        return
    assert answer.score is not None
    if codes & {"UNKNOWN_ARCH", "QUANT_UNKNOWN"}:
        found = min(found, 50)
    assert abs(answer.score - found) <= 0.51, answer


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(columns.catalogues, asked)
def test_every_model_s_cell_has_nearly_the_judge_s_score(
    tmp_path_factory: pytest.TempPathFactory, models: list[RepoCard], asking: Asking
) -> None:
    mapped = columns.catalogue(tmp_path_factory.mktemp("cells"), models).mapped
    cells = Cells.read(mapped.values["classes"], np.asarray(mapped.column("cell_table")), STEPS)
    found = scores(cells, [asking])[mapped.column("cells")]
    for row, value in zip(mapped.fetch(range(mapped.rows)), found, strict=True):
        facts = of_card(row.card)
        if facts is None or not facts.size:
            assert value == 0
            continue
        if facts.parameters and not 1 / 8 <= facts.parameters / (facts.size * 8 / 4.85) <= 8:
            continue  # no model has so many or so few for its size
        # Within a cell sizes differ a little: the score is between those of a smaller and a larger model.
        sizes = [facts.size * part // 100 for part in (94, 100, 106)]
        near = [asking.judge(replace(facts, size=size, weights=size), "x", fixes=False).score or 0 for size in sizes]
        assert min(near) - 5 <= int(value) - 1 <= max(near) + 5, (row.card, near)


def test_the_order_by_score_pages_like_any_other(tmp_path: Path) -> None:
    models = [RepoCard("hub", f"org/m{n}", formats=("gguf",), size=2**n if n % 7 else None) for n in range(20, 44)]
    catalogue = columns.catalogue(tmp_path, models)
    mapped, asking = catalogue.mapped, Asking("builtin", "", _engine("builtin"), MACHINES[0], Settings())
    cells = Cells.read(mapped.values["classes"], np.asarray(mapped.column("cell_table")), STEPS)
    standing = Standing(spread(scores(cells, [asking]), mapped.column("cells")))
    assert standing.places(standing.order).tolist() == list(range(mapped.rows))
    assert standing.known == sum(card.size is not None for card in models)
    for sort in (Sort("compatibility"), Sort("compatibility", ascending=True)):
        whole = [row.number for row in catalogue.page(parse(""), sort=sort, ranking=standing).rows]
        values = [int(standing.values[number]) for number in whole]
        known = [value for value in values if value]
        assert known == sorted(known, reverse=not sort.ascending)
        assert values == known + [0] * (len(values) - len(known))
        parts = [
            catalogue.page(parse(""), sort=sort, ranking=standing, offset=n, limit=5).rows for n in range(0, 24, 5)
        ]
        assert [row.number for part in parts for row in part] == whole
    fits = {"fits": bits.of_rows(mapped.rows, np.flatnonzero(standing.reaching(1)))}
    assert catalogue.page(parse("is:fits"), marks=fits).total == sum(value > 1 for value in standing.values.tolist())
