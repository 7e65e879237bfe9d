"""Every error a user can meet: what happened, to what, and what to do.

    ModelshelfError
    ├── UsageError               ValueError        2  the request makes no sense
    │   └── ConfigError                            2  a setting's name or value
    ├── NotFound                 LookupError       5  model, job, provider, setting
    │   ├── RepositoryNotFound                     5
    │   ├── RevisionNotFound                       5
    │   └── FileNotInRepository                    5
    ├── AccessError              PermissionError   1  who asks may not
    │   ├── NotSignedIn                            1  no or a wrong token or key
    │   ├── NoPermission                           1  the key is right but may not do this
    │   ├── RoleRequired                           1
    │   └── GatedRepository                        1
    ├── Unreachable              ConnectionError   6  a source or provider does not answer
    │   ├── UnsafeAddress                          6  an address that the network policy refuses
    │   ├── TimedOut             TimeoutError      6  it answers too late or never
    │   ├── NotTrusted                             6  its certificate is not one that can be trusted
    │   └── WrongAddress                           6  something answers there, but not this API
    ├── StoreError               OSError           1  database or data folder
    │   ├── StoreTooNew                            1
    │   └── VaultError                             1  the saved secrets cannot be opened
    ├── DownloadError                              1
    │   ├── NotEnoughDisk        OSError           7
    │   ├── FolderNotWritable    OSError           1
    │   └── ChecksumMismatch                       4
    ├── FormatError              ValueError        4  a file is not what it claims
    ├── Vetoed                                     4  a hook refuses
    ├── VettingError                               4
    │   ├── Blocked                                4
    │   └── NeedsReview                            3
    └── ProviderError                              1
        ├── EngineFailed                           1
        ├── ModelDoesNotFit                        4
        ├── RateLimited                            1  too many requests
        ├── NoCredit                               1  the account is empty
        ├── KeyUnproven                            1  nothing asked so far needs the key
        └── Unsupported                            2  the provider has no such ability

The figure is the exit code of the command line. The traceback belongs to the log, the sentence to the user.
"""

from typing import Any, ClassVar


class ModelshelfError(Exception):
    """The root: `str(error)` is the sentence to show, `remedy` what to do, `facts` the data behind it."""

    exit_code: ClassVar[int] = 1
    status: ClassVar[int] = 500
    remedy: str = "See the log for the details."

    def __init__(self, message: str, *, remedy: str | None = None, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts
        if remedy is not None:
            self.remedy = remedy

    @property
    def code(self) -> str:
        """The stable name of the kind of error, for programs."""
        return type(self).__name__

    def __str__(self) -> str:
        return self.message

    def as_dict(self) -> dict[str, Any]:
        """The error as JSON: `{code, error, remedy}`."""
        return {"code": self.code, "error": self.message, "remedy": self.remedy}


class UsageError(ModelshelfError, ValueError):
    """A request that makes no sense, whoever asks."""

    exit_code = 2
    status = 422
    remedy = "Check the spelling; `--help` lists what is allowed."


class ConfigError(UsageError):
    """A setting that does not exist or has a value that is not allowed."""

    remedy = "Correct the setting; nothing was changed."


class NotFound(ModelshelfError, LookupError):
    """Something that was named does not exist."""

    exit_code = 5
    status = 404
    remedy = "Check the name, or search for it."


class RepositoryNotFound(NotFound):
    """The source has no such repository, or hides it from who asks."""

    remedy = "Check the name; a private repository needs a token that may read it."


class RevisionNotFound(NotFound):
    """The repository has no such branch, tag or commit."""

    remedy = "Leave the revision out to take the newest one."


class FileNotInRepository(NotFound):
    """The commit holds no such file."""

    remedy = "List the files with `modelshelf show`."


class AccessError(ModelshelfError, PermissionError):
    """Who asks may not."""

    status = 403


class NotSignedIn(AccessError):
    """No token or login, or one that is not accepted."""

    status = 401
    remedy = "Sign in again, or set a valid token (HF_TOKEN for Hugging Face)."


class NoPermission(AccessError):
    """The key is accepted, but not for what was asked."""

    remedy = "Give the key that permission at the provider, or use another key."


class RoleRequired(AccessError):
    """The action needs a higher role."""

    remedy = "Ask an administrator for the role."


class GatedRepository(AccessError):
    """The publisher wants to be asked before anyone downloads."""

    remedy = "Open the model's page, accept its terms, and set the token of that account."


class Unreachable(ModelshelfError, ConnectionError):
    """A source or a provider does not answer as it should."""

    exit_code = 6
    status = 502
    remedy = "Check the address and the network, then try again."


class UnsafeAddress(Unreachable):
    """The network policy refuses this address."""

    remedy = "Use https, and an address that you configured or that is public."


class TimedOut(Unreachable, TimeoutError):
    """It answers too late or never."""

    remedy = "Check that it runs and is not overloaded, or raise providers.timeout_seconds."


class NotTrusted(Unreachable):
    """Its certificate is missing, changed, expired or of nobody we trust."""

    remedy = "Check the address, or name its certificates in network.ca_file."


class WrongAddress(Unreachable):
    """Something answers at the address, but not the API that was expected."""

    remedy = "Check that the address is this provider's API and not a page of something else."


class StoreError(ModelshelfError, OSError):
    """The database or the data folder cannot be used."""

    status = 503
    remedy = "Check the data folder; `modelshelf doctor` says what is wrong."


class StoreTooNew(StoreError):
    """A newer Modelshelf wrote this database; it was left untouched."""

    remedy = "Install the newest Modelshelf, or choose another data folder with MODELSHELF_HOME."


class VaultError(StoreError):
    """Saved secrets cannot be opened or saved; none was deleted."""

    remedy = "`modelshelf secrets status` says where the master key is looked for."


class DownloadError(ModelshelfError):
    """A download cannot go on; what arrived is kept for the next try."""

    status = 502
    remedy = "Try again: it goes on where it stopped."


class NotEnoughDisk(DownloadError, OSError):
    """The disk cannot hold what is planned."""

    exit_code = 7
    status = 507
    remedy = "Free some space, or move the library to another disk."


class FolderNotWritable(DownloadError, OSError):
    """A folder that must be written to cannot be."""

    status = 503
    remedy = "Give yourself write permission there, or choose another folder."


class ChecksumMismatch(DownloadError):
    """The bytes are not those that the source published; nothing was kept under the final name."""

    exit_code = 4
    status = 502
    remedy = "Try again; if it happens twice the source or the path to it is damaged."


class FormatError(ModelshelfError, ValueError):
    """A file is not what it claims to be; the message names the field."""

    exit_code = 4
    status = 422
    remedy = "Download the file again, or choose another one."


class Vetoed(ModelshelfError):
    """A hook refuses what was about to happen; `facts["hook"]` names it. Nothing was begun."""

    exit_code = 4
    status = 409
    remedy = "Do what the reason asks for, or talk to whoever set this rule; `modelshelf hooks list` shows the hooks."


class VettingError(ModelshelfError):
    """A file did not pass."""

    exit_code = 4
    status = 409


class Blocked(VettingError):
    """A file is unsafe and is held in quarantine."""

    remedy = "Leave it; choose a repository in safetensors or GGUF format."


class NeedsReview(VettingError):
    """A file needs a person's decision."""

    exit_code = 3
    remedy = "Read the findings; an administrator can accept them with a reason."


class ProviderError(ModelshelfError):
    """A provider answered with an error."""

    status = 502


class EngineFailed(ProviderError):
    """The built-in engine ended or never started."""

    remedy = "Try again; `modelshelf doctor` shows the end of its log."


class ModelDoesNotFit(ProviderError):
    """Loading would need more memory than there is."""

    exit_code = 4
    status = 409
    remedy = "Choose a smaller quantisation or a shorter context."


class RateLimited(ProviderError):
    """Too many requests; `facts["retry_after"]` holds the seconds to wait where the provider names them."""

    status = 429
    remedy = "Try again later."


class NoCredit(ProviderError):
    """The account behind the key has no credit left."""

    status = 402
    remedy = "Add credit at the provider, or use another key."


class KeyUnproven(ProviderError):
    """The provider answers without a key what it answers with it: whether the key is good was not seen."""

    remedy = "Test with a one-token question: only an answer proves this key."


class Unsupported(ProviderError):
    """The provider has no such ability."""

    exit_code = 2
    status = 405
    remedy = "Choose another provider."
