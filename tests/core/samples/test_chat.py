"""The real engine loads the sample models and chats with them."""

import json
from pathlib import Path

import pytest

from modelshelf.samples import SampleHub
from modelshelf.samples.corpus import TOPICS
from tests.core.samples.conftest import Child

QUANTS = "samples/tiny-llama-quants-GGUF"

ENGINE = """
import json, os, sys
import xllamacpp

params = xllamacpp.CommonParams()
params.model.path, params.n_ctx, params.n_parallel, params.n_gpu_layers = sys.argv[1], 2048, 1, 0
params.warmup, params.use_jinja, params.verbosity = False, True, 0
server = xllamacpp.Server(params)
for line in json.loads(sys.argv[2]):
    answer = server.handle_chat_completions({"max_tokens": 200, **line})
    choice = answer["choices"][0]
    print(json.dumps([choice["message"]["content"], choice["finish_reason"], answer["usage"]["completion_tokens"]]))
sys.stdout.flush()
os._exit(0)
"""

ODD = ("", "xyzzy", "Ünïcödé 🦊 字", "<0x0A> \n\t {{ 7 }} {% raw %}", "</s>", "a" * 300)


class Engine:
    """Asks the real engine, in a child."""

    def __init__(self, child: Child, model: Path) -> None:
        self._child = child
        self._model = model

    async def ask(self, *requests: dict[str, object]) -> list[tuple[str, str, int]]:
        """Text, reason of the end and number of tokens of each answer."""
        out = await self._child(ENGINE, str(self._model), json.dumps(requests))
        return [tuple(json.loads(line)) for line in out.splitlines() if line.startswith("[")]


def said(text: str, temperature: float = 0.0, seed: int = 1) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": text}], "temperature": temperature, "seed": seed}


@pytest.fixture(params=["F16", "Q8_0", "Q4_0"])
def engine(request: pytest.FixtureRequest, hub: SampleHub, child: Child) -> Engine:
    content = hub.repos[QUANTS].head.files[f"tiny-llama.{request.param}.gguf"].content
    assert isinstance(content, Path)
    return Engine(child, content)


def sentences(text: str) -> bool:
    """Whether every word is one the model was taught, and the text ends as a sentence does."""
    known = {word for topic in TOPICS for answer in topic.answers for word in answer.replace("_", " ").split()}
    return bool(text) and set(text.split()) <= known and text[-1] in ".!?"


async def test_every_answer_ends_and_is_made_of_sentences(engine: Engine) -> None:
    asked = [word.strip("_") for topic in TOPICS for word in topic.asked_by[:1]]
    requests = [said(text) for text in (*asked, *ODD)]
    requests += [said("Tell me a story", temperature=1.0, seed=seed) for seed in range(8)]
    answers = await engine.ask(*requests)
    assert len(answers) == len(requests)
    assert {reason for _, reason, _ in answers} == {"stop"}
    assert [text for text, _, _ in answers if not sentences(text)] == []
    assert len({text for text, _, _ in answers[: len(asked)]}) >= len(TOPICS) - 3
    assert len({text for text, _, _ in answers[-8:]}) >= 3


async def test_an_answer_is_to_the_point_in_every_turn(engine: Engine) -> None:
    turns: list[dict[str, str]] = [{"role": "system", "content": "Be kind."}]
    for text, word in (("Tell me about the sea", "sea"), ("And what is 2 + 2?", "umbers"), ("Goodbye!", "Goodbye")):
        turns.append({"role": "user", "content": text})
        ((answer, _, _),) = await engine.ask({"messages": turns, "temperature": 0})
        assert word in answer
        turns.append({"role": "assistant", "content": answer})
