"""The whole: does every part work with the others, and what is wrong where not."""

from modelshelf.integration.doctor import Check, diagnose, redact, support_bundle
from modelshelf.integration.selftest import IntegrationTest, Step
from modelshelf.integration.status import IntegrationService, IntegrationStatus

__all__ = [
    "Check",
    "IntegrationService",
    "IntegrationStatus",
    "IntegrationTest",
    "Step",
    "diagnose",
    "redact",
    "support_bundle",
]
