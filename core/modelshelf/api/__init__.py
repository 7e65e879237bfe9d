"""The shelf over HTTP: routers, a file per resource, below /api."""

from modelshelf.api.app import add_api
from modelshelf.api.events import EventLog
from modelshelf.api.guard import CookieLogins, Guard, Site, is_loopback, url_host

__all__ = ["CookieLogins", "EventLog", "Guard", "Site", "add_api", "is_loopback", "url_host"]
