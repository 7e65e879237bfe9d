"""The accounts of the sample hub: their tokens open nothing but what this hub serves."""

from dataclasses import dataclass
from typing import Any, Literal

Access = Literal["granted", "none", "waiting", "refused"]

READER_TOKEN = "hf_samplereader"  # noqa: S105 - opens nothing but the gated sample
"""The token of an account that the gated repository has let in."""
STRANGER_TOKEN = "hf_samplestranger"  # noqa: S105 - opens nothing
"""The token of an account that has not asked it."""
WAITING_TOKEN = "hf_samplewaiting"  # noqa: S105 - opens nothing
"""The token of an account that has asked and waits for an answer."""
REFUSED_TOKEN = "hf_samplerefused"  # noqa: S105 - opens nothing
"""The token of an account that was refused."""

_SENTENCES: dict[Access, str] = {
    "none": "Access to model {id} is restricted and you are not in the authorized list. Visit {url}/{id} to ask for "
    "access.",
    "waiting": "Your request to access model {id} is awaiting a review from the repo authors.",
    "refused": "Your request to access model {id} has been rejected by the repo's authors.",
}


@dataclass(frozen=True, slots=True)
class Account:
    """An account, what its token may do, and where it stands with gated repositories."""

    name: str
    access: Access
    role: str = "read"
    orgs: tuple[str, ...] = ()
    expires: str = ""

    def whoami(self) -> dict[str, Any]:
        """What the Hub says of whoever has the token."""
        token: dict[str, Any] = {"displayName": f"{self.name}'s token", "role": self.role}
        if self.role == "fineGrained":
            token["fineGrained"] = {"canReadGatedRepos": self.access == "granted", "global": [], "scoped": []}
        said: dict[str, Any] = {
            "type": "user",
            "id": self.name,
            "name": self.name,
            "fullname": self.name.title(),
            "orgs": [{"type": "org", "id": name, "name": name} for name in self.orgs],
            "auth": {"type": "access_token", "accessToken": token},
        }
        if self.expires:
            said["auth"]["expiresAt"] = self.expires
        return said

    def refusal(self, repo: str, url: str) -> str:
        """Why a gated repository does not open for it; nothing if it does."""
        return _SENTENCES.get(self.access, "").format(id=repo, url=url)


ACCOUNTS = {
    READER_TOKEN: Account("reader", "granted", "fineGrained", ("lab", "press"), "2099-12-31T23:59:59.000Z"),
    STRANGER_TOKEN: Account("stranger", "none"),
    WAITING_TOKEN: Account("waiting", "waiting"),
    REFUSED_TOKEN: Account("refused", "refused", "write"),
}
