"""Signing in and out: the page that the owner's link leads to, the exchange of its secret for a cookie, and the end."""

from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from modelshelf.access.logins import Logins
from modelshelf.access.service import LOGIN_LIFE
from modelshelf.api.guard import Site
from modelshelf.api.problems import problem


class Secret(BaseModel):
    """What stands behind the # of the owner's link."""

    secret: str = Field(min_length=1, max_length=200)


@cache
def web(name: str) -> str:
    """A file of the package's web folder."""
    return files("modelshelf_dashboard").joinpath("web", name).read_text("utf-8")


def router(site: Site, logins: Logins) -> APIRouter:
    """The routes of signing in and out."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/login")
    async def page() -> HTMLResponse:
        return HTMLResponse(web("login.html"), headers={"cache-control": "no-store"})

    @routes.get("/login/page.{kind}")
    async def piece(kind: str) -> Response:
        media = {"css": "text/css", "js": "text/javascript"}.get(kind)
        if media is None:
            return Response(status_code=404)
        return Response(web(f"login.{kind}"), media_type=media, headers={"cache-control": "max-age=3600"})

    @routes.post("/login")
    async def sign_in(given: Secret, request: Request) -> Response:
        secret = await logins.begin(given.secret)
        if secret is None:
            return problem(
                403,
                "This link is used up, too old or not complete.",
                "Run `modelshelf serve --link` on the machine that serves the page for a new one.",
                code="LinkNotAccepted",
            )
        # A login that the browser had before must not live on unseen.
        if before := site.secret(request.headers):
            await logins.end(before)
        answer = Response(status_code=204)
        answer.set_cookie(
            site.cookie,
            secret,
            max_age=int(LOGIN_LIFE.total_seconds()),
            path="/" if site.secure else site.root_path or "/",
            secure=site.secure,
            httponly=True,
            samesite="strict",
        )
        return answer

    @routes.post("/logout")
    async def sign_out(request: Request) -> Response:
        if secret := site.secret(request.headers):
            await logins.end(secret)
        answer = Response(status_code=204)
        answer.delete_cookie(
            site.cookie,
            path="/" if site.secure else site.root_path or "/",
            secure=site.secure,
            httponly=True,
            samesite="strict",
        )
        return answer

    return routes
