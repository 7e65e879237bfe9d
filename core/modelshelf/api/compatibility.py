"""Does it fit: a model and a provider."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from modelshelf.api.needs import Answer, OperatorOnly, TheShelf
from modelshelf.errors import UsageError

router = APIRouter(prefix="/compatibility", tags=["compatibility"])


class MemoryAnswer(Answer):
    """Bytes an engine will hold; `total` is what the device holds, `host` stands apart."""

    weights: int
    kv: int
    recurrent: int
    compute: int
    output: int
    host: int
    total: int


class ReasonAnswer(Answer):
    """Why: a stable code, a sentence, and the figures in it."""

    code: str
    detail: str
    figures: dict[str, Any]


class FixAnswer(Answer):
    """A change that raises the score, and the score it would give."""

    code: str
    detail: str
    score: int
    apply: dict[str, Any]


class SettingsAnswer(Answer):
    """How the engine would load the model."""

    context: int
    kv: str
    slots: int
    ubatch: int
    flash_attention: bool
    unified_kv: bool
    gpu_layers: int | None


class QualityAnswer(Answer):
    """What speaks for the model whatever it runs on."""

    parameters: int | None
    active: int | None
    fidelity: float | None
    detail: str


class Fit(Answer):
    """A score from 0 to 100, or null where the question makes no sense."""

    model: str
    provider: str
    score: int | None
    available: bool
    confidence: Literal["exact", "header", "bounded", "estimate", "unknown"]
    memory: MemoryAnswer | None
    budget: int | None
    speed: list[float] | None
    measured: bool
    settings: SettingsAnswer | None
    values: dict[str, float]
    quality: QualityAnswer | None
    summary: str
    reasons: list[ReasonAnswer]
    fixes: list[FixAnswer]


class GpuAnswer(Answer):
    """A graphics card; memory in bytes, bandwidth in bytes per second."""

    name: str
    vendor: str
    memory_total: int
    memory_free: int
    bandwidth: float | None
    unified: bool
    compute: str | None


class MachineAnswer(Answer):
    """A machine as models see it; memory in bytes, bandwidth in bytes per second."""

    name: str
    cpu: str
    cores: int
    ram_total: int
    ram_available: int
    memory_bandwidth: float | None
    memory_limit: int | None
    gpus: list[GpuAnswer]


class Deed(BaseModel):
    """Which fix of which answer is to be done."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, Field(min_length=1, max_length=500)]
    provider: Annotated[str, Field(max_length=40)] = "builtin"
    code: Annotated[str, Field(min_length=1, max_length=40, description="the code of one of the proposed fixes")]


class Done(Answer):
    """What was done, in a sentence, and the answer since."""

    done: str
    answer: Fit


Name = Annotated[str, Query(max_length=500, description="source:org/name@commit/file, or org/name")]
Place = Annotated[str, Query(max_length=40, description="a provider's id, or a kind of engine")]
Words = Annotated[str | None, Query(max_length=200, description="another machine in words, such as 24 GB card")]


@router.get("")
async def check(
    shelf: TheShelf,
    model: Name,
    provider: Place = "builtin",
    ctx: Annotated[int | None, Query(ge=1, le=16_777_216, description="context in tokens")] = None,
    kv: Annotated[Literal["f16", "q8_0", "q4_0"] | None, Query(description="type of the key-value cache")] = None,
    slots: Annotated[int | None, Query(ge=1, le=256, description="parallel conversations")] = None,
    ubatch: Annotated[int | None, Query(ge=1, le=65_536, description="tokens per physical batch")] = None,
    gpu_layers: Annotated[int | None, Query(ge=0, le=4096, description="layers on the graphics card")] = None,
    flash_attention: Annotated[bool | None, Query(description="false: compute without it")] = None,
    unified_kv: Annotated[bool | None, Query(description="false: a cache of its own for each slot")] = None,
    idle: Annotated[bool, Query(description="as if nothing else ran on this machine")] = False,
    machine: Words = None,
    needs: Annotated[list[str], Query(max_length=10, description="abilities it must have")] = [],  # noqa: B006
) -> Fit:
    """Whether the model fits the provider on this machine or another: score, memory, reasons, and what would help."""
    told = {
        "context": ctx, "kv": kv, "slots": slots, "ubatch": ubatch, "gpu_layers": gpu_layers,
        "flash_attention": flash_attention, "unified_kv": unified_kv,
    }  # fmt: skip
    there = await shelf.compatibility.named_machine(machine) if machine else None
    if idle:
        there = (there or await shelf.compatibility.machine()).idle()
    answer = await shelf.compatibility.check_model_compatibility(
        model,
        provider,
        changes={name: value for name, value in told.items() if value is not None},
        machine=there,
        needs=needs,
    )
    return Fit.model_validate(answer.as_dict())


@router.get("/matrix")
async def matrix(
    shelf: TheShelf,
    model: Annotated[list[str], Query(max_length=100, description="without any, what is installed")] = [],  # noqa: B006
    provider: Annotated[list[str], Query(max_length=50, description="without any, all that are on")] = [],  # noqa: B006
    machine: Words = None,
) -> list[Fit]:
    """Every model with every provider, models in the outer order."""
    there = await shelf.compatibility.named_machine(machine) if machine else None
    frame = await shelf.compatibility.matrix(model or None, provider or None, machine=there)
    answers = frame.attrs["answers"]
    return [Fit.model_validate(answers[row, column].as_dict()) for row in frame.index for column in frame.columns]


@router.get("/models")
async def models(
    shelf: TheShelf, provider: Place = "builtin", limit: Annotated[int, Query(ge=1, le=200)] = 10
) -> list[Fit]:
    """The models that do well with a provider, the best first."""
    found = await shelf.compatibility.get_recommended_models_for_provider(provider, limit)
    return [Fit.model_validate(answer.as_dict()) for answer in found]


@router.get("/providers")
async def providers(shelf: TheShelf, model: Name, limit: Annotated[int, Query(ge=1, le=200)] = 10) -> list[Fit]:
    """The providers that run or serve a model well, the best first."""
    found = await shelf.compatibility.get_recommended_providers_for_model(model, limit)
    return [Fit.model_validate(answer.as_dict()) for answer in found]


@router.get("/machines")
async def machines(shelf: TheShelf) -> list[MachineAnswer]:
    """This machine first, then those that can be asked about by name."""
    return [MachineAnswer.model_validate(machine) for machine in await shelf.compatibility.machines()]


@router.post("/apply", dependencies=[OperatorOnly])
async def apply(shelf: TheShelf, deed: Deed) -> Done:
    """Do what a fix says, as far as it is about settings or memory; 422 where it is not proposed."""
    answer = await shelf.compatibility.check_model_compatibility(deed.model, deed.provider)
    fix = next((one for one in answer.fixes if one.code == deed.code), None)
    if fix is None:
        known = ", ".join(one.code for one in answer.fixes) or "none"
        raise UsageError(f"No fix {deed.code} is proposed for {deed.model}.", remedy=f"Proposed are: {known}.")
    done = await shelf.compatibility.apply(answer, fix)
    after = await shelf.compatibility.check_model_compatibility(deed.model, deed.provider)
    return Done(done=done, answer=Fit.model_validate(after.as_dict()))
