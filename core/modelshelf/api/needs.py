"""What routes ask for: the shelf, who asks, and a role."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict

from modelshelf.access import Principal, Role, current
from modelshelf.errors import RoleRequired

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


class Answer(BaseModel):
    """An answer read from the attributes of a service's dataclass."""

    model_config = ConfigDict(from_attributes=True)


def _shelf(request: Request) -> "Shelf":
    shelf: Shelf = request.app.state.shelf
    return shelf


async def who() -> Principal:
    """Who asks, as the guard found out."""
    return current()


def at_least(role: Role) -> Callable[[], None]:
    """A dependency that refuses everyone below this role."""

    async def check() -> None:
        asks = current()
        if asks.role < role:
            raise RoleRequired(f"{asks.name} is {asks.role.label}; this needs {role.label}.")

    return check  # type: ignore[return-value] # FastAPI takes coroutine functions too


TheShelf = Annotated["Shelf", Depends(_shelf)]
Who = Annotated[Principal, Depends(who)]
AdminOnly = Depends(at_least(Role.ADMIN))
OperatorOnly = Depends(at_least(Role.OPERATOR))
