"""The sources: listed, added, switched, removed. A token goes in and never comes out."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field, SecretStr

from modelshelf.api.needs import AdminOnly, Answer, TheShelf
from modelshelf.errors import NotFound
from modelshelf.providers.validation import clean_key

router = APIRouter(prefix="/sources", tags=["sources"])

Name = Annotated[str, Path(max_length=40)]


class SourceEntryAnswer(Answer):
    """A source and how it fared: fresh, stale, failed, off, or `named` if it is there by its name alone."""

    name: str
    kind: str
    label: str
    url: str
    path: str
    enabled: bool
    status: str
    error: str
    remedy: str
    token: str = Field(description="where its token is from: environment, saved, or empty for none")


class NewSource(BaseModel):
    """A source to add."""

    name: str = Field(min_length=1, max_length=40)
    kind: str = Field(max_length=40)
    url: str = Field(default="", max_length=500)
    path: str = Field(default="", max_length=1000)
    label: str = Field(default="", max_length=100)
    token_env: str = Field(default="", max_length=100)
    owner: str = Field(default="", max_length=96, description="of a hub only what this organisation publishes")
    hosts: list[str] = Field(default=[], max_length=20)


class SourceChange(BaseModel):
    """Whether a source is asked."""

    enabled: bool


class SourceToken(BaseModel):
    """A token for a source."""

    token: SecretStr = Field(max_length=8192)


@router.get("")
async def sources(shelf: TheShelf) -> list[SourceEntryAnswer]:
    """Every source, in the order in which they are asked."""
    return [SourceEntryAnswer.model_validate(entry) for entry in await shelf.sources.list()]


@router.get("/kinds")
async def kinds(shelf: TheShelf) -> list[str]:
    """What can be added."""
    return list(shelf.sources.kinds)


@router.post("", status_code=201, dependencies=[AdminOnly])
async def add(shelf: TheShelf, new: NewSource) -> SourceEntryAnswer:
    """Add a source behind the others."""
    await shelf.sources.add(
        new.name,
        new.kind,
        url=new.url,
        path=new.path,
        label=new.label,
        token_env=new.token_env,
        owner=new.owner,
        hosts=new.hosts,
    )
    return await _one(shelf, new.name)


@router.patch("/{name}", dependencies=[AdminOnly])
async def change(shelf: TheShelf, name: Name, wanted: SourceChange) -> SourceEntryAnswer:
    """Ask a source, or leave it alone."""
    await shelf.sources.enable(name, wanted.enabled)
    return await _one(shelf, name)


@router.delete("/{name}", status_code=204, dependencies=[AdminOnly])
async def remove(shelf: TheShelf, name: Name) -> None:
    """Remove a source and its saved token."""
    await shelf.sources.remove(name)


@router.put("/{name}/token", status_code=204, dependencies=[AdminOnly])
async def save_token(shelf: TheShelf, name: Name, order: SourceToken) -> None:
    """Keep a token for a source, encrypted and for its present address only."""
    await shelf.sources.save_token(name, clean_key(order.token.get_secret_value()))


@router.delete("/{name}/token", status_code=204, dependencies=[AdminOnly])
async def forget_token(shelf: TheShelf, name: Name) -> None:
    """Forget the saved token of a source."""
    await shelf.sources.forget_token(name)


async def _one(shelf: TheShelf, name: str) -> SourceEntryAnswer:
    for entry in await shelf.sources.list():
        if entry.name == name:
            return SourceEntryAnswer.model_validate(entry)
    raise NotFound(f"There is no source “{name}”.")
