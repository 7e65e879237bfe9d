"""The account at the Hugging Face Hub: who one is, signing in and out. A token goes in and never comes out."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, SecretStr

from modelshelf.api.needs import AdminOnly, Answer, TheShelf
from modelshelf.providers.validation import clean_key

router = APIRouter(prefix="/account/huggingface", tags=["account"])


class AccountAnswer(Answer):
    """Whose token it is; `origin` is where it is from: vault, file, or the name of an environment variable."""

    name: str
    kind: str
    orgs: list[str]
    permission: str
    gated: bool | None
    label: str
    expires: datetime | None
    origin: str


class TokenOrder(BaseModel):
    """A token to sign in with."""

    token: SecretStr = Field(max_length=8192)


class AccessAnswer(BaseModel):
    """Whether the files of a repository are open to the present account."""

    access: Literal["open", "granted", "ask", "waiting", "refused", "unknown"]


@router.get("")
async def account(shelf: TheShelf) -> AccountAnswer | None:
    """Who is signed in; null for nobody."""
    found = await shelf.huggingface.account()
    return AccountAnswer.model_validate(found) if found else None


@router.put("", dependencies=[AdminOnly])
async def sign_in(shelf: TheShelf, order: TokenOrder) -> AccountAnswer:
    """Ask the Hub whose token it is, then keep it, encrypted."""
    return AccountAnswer.model_validate(await shelf.huggingface.sign_in(clean_key(order.token.get_secret_value())))


@router.delete("", status_code=204, dependencies=[AdminOnly])
async def sign_out(shelf: TheShelf) -> None:
    """Forget the saved token."""
    await shelf.huggingface.sign_out()


@router.get("/access")
async def access(shelf: TheShelf, repo: Annotated[str, Query(max_length=200)]) -> AccessAnswer:
    """How far the publisher of a gated repository is with the present account."""
    return AccessAnswer(access=await shelf.huggingface.access(repo))
