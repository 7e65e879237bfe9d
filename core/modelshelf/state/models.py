"""Models as views see them."""

import param

from modelshelf.adoption.types import Comparing, Elsewhere
from modelshelf.catalog.types import SourceReport
from modelshelf.library.types import InstalledModel
from modelshelf.registration.types import Registration
from modelshelf.vetting.checks import CheckState


class ModelsState(param.Parameterized):
    """What is installed, what is held back, and how the sources are."""

    installed = param.List(default=[], item_type=InstalledModel, doc="every model in the cache")
    loaded = param.Boolean(default=False, doc="whether the cache has been read once")
    quarantined = param.Integer(default=0, bounds=(0, None), doc="files held back")
    check = param.ClassSelector(default=CheckState(), class_=CheckState, doc="the check of everything, here")
    elsewhere = param.ClassSelector(default=Elsewhere(), class_=Elsewhere, doc="what other programs keep here")
    comparing = param.ClassSelector(default=Comparing(), class_=Comparing, doc="how far their comparison is")
    registrations = param.List(default=[], item_type=Registration, doc="which providers have which models")
    sources = param.List(default=[], item_type=SourceReport, doc="how each source fared last")
    error = param.String(doc="why the library cannot be read, empty when it can")

    def has(self, repo: str) -> bool:
        """Whether some commit of the repository is installed and complete."""
        return any(model.repo == repo and model.complete for model in self.installed)
