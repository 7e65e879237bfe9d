"""Registration: models of the library turn up where they can be used."""

from modelshelf.registration.keeping import RegistrationKeeper
from modelshelf.registration.repair import Dependents, Repair
from modelshelf.registration.service import RegistrationService
from modelshelf.registration.types import Breaks, Finding, Offer, Plan, Policy, Registration, Status

__all__ = [
    "Breaks",
    "Dependents",
    "Finding",
    "Offer",
    "Plan",
    "Policy",
    "Registration",
    "RegistrationKeeper",
    "RegistrationService",
    "Repair",
    "Status",
]
