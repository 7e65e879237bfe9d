"""Hooks and webhooks: /api/hooks. For administrators, since addresses and rules are nobody else's business."""

from datetime import datetime

from fastapi import APIRouter

from modelshelf.api.needs import AdminOnly, Answer, TheShelf

router = APIRouter(prefix="/hooks", tags=["hooks"], dependencies=[AdminOnly])


class HookAnswer(Answer):
    """A hook, the points where it has its say, and why it cannot be used if it cannot."""

    name: str
    origin: str
    points: list[str]
    error: str


class WebhookAnswer(Answer):
    """A webhook; of its address only the origin."""

    name: str
    origin: str
    events: list[str]
    signed: bool
    problem: str


class MessageAnswer(Answer):
    """A message to a webhook and how sending it goes."""

    id: str
    webhook: str
    event: str
    about: str
    status: str
    attempts: int
    answer: str
    created: datetime
    next_at: datetime
    ended: datetime | None


class HooksAnswer(Answer):
    """All of it."""

    hooks: list[HookAnswer]
    webhooks: list[WebhookAnswer]
    messages: list[MessageAnswer]


class TestAnswer(Answer):
    """What a webhook answered."""

    webhook: str
    answer: str


class RetryAnswer(Answer):
    """How many messages are sent again."""

    messages: int


@router.get("")
async def hooks(shelf: TheShelf) -> HooksAnswer:
    """Hooks, webhooks and the newest messages to them."""
    found = [
        HookAnswer(name=h.name, origin=h.origin, points=sorted(h.points), error=h.error)
        for h in await shelf.hooks.listed()
    ]
    return HooksAnswer(
        hooks=found,
        webhooks=[WebhookAnswer.model_validate(webhook) for webhook in shelf.hooks.webhooks()],
        messages=[MessageAnswer.model_validate(message) for message in await shelf.hooks.deliveries()],
    )


@router.post("/webhooks/{webhook}/test")
async def test(shelf: TheShelf, webhook: str) -> TestAnswer:
    """Send a webhook a message that says it is a test."""
    return TestAnswer(webhook=webhook, answer=await shelf.hooks.test(webhook))


@router.post("/messages/retry")
async def retry(shelf: TheShelf) -> RetryAnswer:
    """Send now what waits, or was given up within a day."""
    return RetryAnswer(messages=await shelf.hooks.retry())
