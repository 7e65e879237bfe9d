"""The whole: does every part work with the others, and what is wrong where not."""

from modelshelf.integration.check import Check
from modelshelf.integration.doctor import diagnose
from modelshelf.integration.selftest import IntegrationTest
from modelshelf.integration.status import IntegrationService, IntegrationStatus
from modelshelf.integration.steps import Advice, Report, Step
from modelshelf.integration.support import support_bundle

__all__ = [
    "Advice",
    "Check",
    "IntegrationService",
    "IntegrationStatus",
    "IntegrationTest",
    "Report",
    "Step",
    "diagnose",
    "support_bundle",
]
