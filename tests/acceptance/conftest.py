"""Journeys through the page use the browser of the browser tests."""

from tests.browser.conftest import chromium, picture

__all__ = ["chromium", "picture"]
