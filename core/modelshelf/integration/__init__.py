"""The whole: does every part work with the others, and what is wrong where not."""

from modelshelf.integration.doctor import Check, diagnose, redact, support_bundle
from modelshelf.integration.selftest import IntegrationTest
from modelshelf.integration.status import IntegrationService, IntegrationStatus
from modelshelf.integration.steps import Advice, Report, Step

__all__ = [
    "Advice",
    "Check",
    "IntegrationService",
    "IntegrationStatus",
    "IntegrationTest",
    "Report",
    "Step",
    "diagnose",
    "redact",
    "support_bundle",
]
