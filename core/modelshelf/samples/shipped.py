"""The repositories that the sample hub brings along, made once and then read from its folder.

They lie in a folder named after the digest of everything they are made from, so that two versions of Modelshelf never
write over each other's; `manifest.json` there holds the digest of every file. If one does not agree, all are made anew.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from modelshelf.samples.cards import SHELF, Described
from modelshelf.samples.repository import HubFile, HubRepo, hub_file, make_commit

MANIFEST = "manifest.json"


def repositories(folder: Path) -> tuple[HubRepo, ...]:
    """The sample repositories, their files made in the folder if they are not there. Call it under the folder's lock.

    Raises:
        OSError: the folder cannot be written.
    """
    mine = folder / recipe()[:16]
    found = _kept(mine)
    if found is None:
        _forget(folder)
        shutil.rmtree(mine, ignore_errors=True)
        _make(mine)
        found = _kept(mine)
    if found is None:
        raise OSError(f"the sample models in {mine} do not stay as they were written")
    return tuple(_published(described, found[described.repo]) for described in SHELF)


@cache
def recipe() -> str:
    """The digest of the code that makes the files."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()


def _kept(folder: Path) -> dict[str, dict[str, HubFile]] | None:
    """What lies in the folder, or None if it is not what this version makes."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        found = {repo: _hashed(folder, repo, names) for repo, names in manifest.items()}
    except (OSError, ValueError, AttributeError):
        return None
    same = all(file.sha256 == manifest[repo][file.path] for repo in found for file in found[repo].values())
    return found if same and found.keys() >= {described.repo for described in SHELF} else None


def _hashed(folder: Path, repo: str, names: Mapping[str, str]) -> dict[str, HubFile]:
    verdicts = next((described.security for described in SHELF if described.repo == repo), {})
    return {name: hub_file(name, folder / repo / name, security=verdicts.get(name, "safe")) for name in names}


def _forget(folder: Path) -> None:
    """Remove what earlier versions made, but the newest of it: a hub of that version may still run."""
    made = sorted(folder.glob("*/" + MANIFEST), key=lambda path: path.stat().st_mtime)
    for manifest in made[:-1]:
        shutil.rmtree(manifest.parent, ignore_errors=True)


def _make(folder: Path) -> None:
    # numpy and the builders are needed only here, and starting should be quick
    from modelshelf.samples.models import write_repositories

    folder.mkdir(parents=True, exist_ok=True)
    names = write_repositories(folder)
    digests = {
        repo: {name: hashlib.sha256((folder / repo / name).read_bytes()).hexdigest() for name in files}
        for repo, files in names.items()
    }
    part = folder / f"{MANIFEST}.part"
    part.write_text(json.dumps(digests, indent=1), "utf-8")
    part.replace(folder / MANIFEST)


def _published(described: Described, files: Mapping[str, HubFile]) -> HubRepo:
    return HubRepo(
        described.repo,
        (make_commit(files, date=described.date),),
        gated=described.gated,
        tags=described.tags,
        task="text-generation",
        library=described.library,
        card=described.front_matter,
        config=described.config,
        gguf=described.gguf,
        safetensors=described.safetensors,
        downloads=described.downloads,
        likes=described.likes,
        created=described.date,
    )
