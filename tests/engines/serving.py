"""Serves a simulator on loopback."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def serving(app: web.Application, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The address of the application while it is served, by https if there is a context."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"{'https' if context else 'http'}://{host}:{port}"
    finally:
        await runner.cleanup()
