"""huggingface_hub's own functions, in a process of their own, against the sample hub."""

import json
from pathlib import Path

from modelshelf.samples import CHAT_REPO, GATED_REPO, READER_TOKEN, STRANGER_TOKEN, SUSPICIOUS_REPO, SampleHub
from tests.core.samples.conftest import Child

PROGRAM = """
import json, sys
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub import errors
print(json.dumps((lambda api: {body})(HfApi())))
"""

FAILING = """
import sys
from huggingface_hub import errors, hf_hub_download, model_info, list_repo_tree, whoami
try:
    {call}
except Exception as error:
    print(type(error).__name__, getattr(error.response, "status_code", ""))
"""


class Client:
    """Calls huggingface_hub in a child."""

    def __init__(self, child: Child, hub: SampleHub, cache: Path) -> None:
        self._child = child
        self._environ = {
            "HF_ENDPOINT": hub.url,
            "SSL_CERT_FILE": str(hub.ca_file),
            "HF_HUB_CACHE": str(cache),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_XET": "1",
        }

    async def get(self, body: str, token: str = "") -> object:
        """The value of an expression on `api`."""
        environ = self._environ | ({"HF_TOKEN": token} if token else {})
        answer: object = json.loads(await self._child(PROGRAM.format(body=body), environ=environ))
        return answer

    async def failure(self, call: str, token: str = "") -> str:
        """The name of the error that a call ends in, and the status of the answer."""
        environ = self._environ | ({"HF_TOKEN": token} if token else {})
        return (await self._child(FAILING.format(call=call), environ=environ)).strip()


async def test_a_file_is_fetched_into_the_cache(hub: SampleHub, child: Child, tmp_path: Path) -> None:
    client = Client(child, hub, tmp_path / "cache")
    path = Path(str(await client.get(f"hf_hub_download('{CHAT_REPO}', 'tiny-llama.Q8_0.gguf')")))
    file = hub.repos[CHAT_REPO].head.files["tiny-llama.Q8_0.gguf"]
    assert path.parent.name == hub.repos[CHAT_REPO].head.id
    assert path.resolve().name == file.sha256
    assert isinstance(file.content, Path)
    assert path.read_bytes() == file.content.read_bytes()


async def test_a_snapshot_is_complete_and_its_checksums_agree(hub: SampleHub, child: Child, tmp_path: Path) -> None:
    client = Client(child, hub, tmp_path / "cache")
    repo = hub.repos["samples/tiny-llama"]
    path = Path(str(await client.get("snapshot_download('samples/tiny-llama')")))
    assert sorted(entry.name for entry in path.iterdir()) == sorted(repo.head.files)
    checked = await client.get("api.verify_repo_checksums('samples/tiny-llama').mismatches")
    assert checked == []
    again = await client.get("snapshot_download('samples/tiny-llama', local_files_only=True)")
    assert again == str(path)


async def test_search_goes_through_all_pages(bare: SampleHub, child: Child, tmp_path: Path) -> None:
    for number in range(47):
        await bare.add(f"many/model-{number:02}", {"README.md": b"x"}, tags=("odd",) if number % 2 else ())
    client = Client(child, bare, tmp_path / "cache")
    found = await client.get(
        "[[m.id for m in api.list_models(search='model')],"
        " [m.id for m in api.list_models(search='model', limit=25)],"
        " [m.id for m in api.list_models(author='nobody')],"
        " [m.id for m in api.list_models(filter='odd')]]"
    )
    assert isinstance(found, list)
    assert [len(part) for part in found] == [47, 25, 0, 23]
    assert len(set(found[0])) == 47


async def test_model_info_says_what_the_hub_says(hub: SampleHub, child: Child, tmp_path: Path) -> None:
    client = Client(child, hub, tmp_path / "cache")
    info = await client.get(
        f"(lambda i, e, s: [i.sha, [[f.rfilename, f.size, f.lfs and f.lfs.sha256] for f in i.siblings], i.gated,"
        f" e.gguf['architecture'], e.downloads, e.pipeline_tag, s.security_repo_status['filesWithIssues']])"
        f"(api.model_info('{CHAT_REPO}', files_metadata=True),"
        f" api.model_info('{CHAT_REPO}', expand=['gguf', 'downloads']),"
        f" api.model_info('{SUSPICIOUS_REPO}', securityStatus=True))"
    )
    head = hub.repos[CHAT_REPO].head
    assert isinstance(info, list)
    sha, files, gated, architecture, downloads, task, issues = info
    assert sha == head.id
    assert files == [[file.path, file.size, file.sha256 if file.lfs else None] for file in head.files.values()]
    assert (gated, architecture, downloads, task) == (False, "llama", hub.repos[CHAT_REPO].downloads, None)
    assert [issue["path"] for issue in issues] == ["pytorch_model.bin", "vocab.pkl"]


async def test_the_tree_lists_folders_and_files(bare: SampleHub, child: Child, tmp_path: Path) -> None:
    files = {"a.txt": b"a", "deep/b.gguf": b"b" * 100, "deep/er/c.txt": b"c"}
    repo = await bare.add("me/tree", files, security={"deep/b.gguf": "unsafe"})
    client = Client(child, bare, tmp_path / "cache")
    listed = await client.get(
        "[sorted(e.path for e in api.list_repo_tree('me/tree')),"
        " sorted(e.path for e in api.list_repo_tree('me/tree', recursive=True)),"
        " sorted(e.path for e in api.list_repo_tree('me/tree', path_in_repo='deep')),"
        " [[e.lfs.sha256, e.last_commit.oid, e.security['status']]"
        "  for e in api.list_repo_tree('me/tree', recursive=True, expand=True) if e.path == 'deep/b.gguf'],"
        " [e.path for e in api.get_paths_info('me/tree', ['a.txt', 'nothing'])],"
        " [b.target_commit for b in api.list_repo_refs('me/tree').branches]]"
    )
    gguf = repo.head.files["deep/b.gguf"]
    assert listed == [
        ["a.txt", "deep"],
        ["a.txt", "deep", "deep/b.gguf", "deep/er", "deep/er/c.txt"],
        ["deep/b.gguf", "deep/er"],
        [[gguf.sha256, repo.head.id, "unsafe"]],
        ["a.txt"],
        [repo.head.id],
    ]


async def test_what_is_not_there_has_the_right_name(hub: SampleHub, child: Child, tmp_path: Path) -> None:
    client = Client(child, hub, tmp_path / "cache")
    assert await client.failure("model_info('no/body')") == "RepositoryNotFoundError 401"
    assert await client.failure("model_info('no/body')", READER_TOKEN) == "RepositoryNotFoundError 404"
    assert await client.failure(f"model_info('{CHAT_REPO}', revision='v9')") == "RevisionNotFoundError 404"
    assert await client.failure(f"hf_hub_download('{CHAT_REPO}', 'x.gguf')") == "RemoteEntryNotFoundError 404"


async def test_the_gate_opens_for_the_right_token_only(hub: SampleHub, child: Child, tmp_path: Path) -> None:
    client = Client(child, hub, tmp_path / "cache")
    call = f"hf_hub_download('{GATED_REPO}', 'gated-llama.Q8_0.gguf')"
    assert await client.failure(call) == "GatedRepoError 401"
    assert await client.failure(call, STRANGER_TOKEN) == "GatedRepoError 403"
    assert Path(str(await client.get(call, READER_TOKEN))).is_file()
    content = [entry for entry in hub.requests if entry.place == "cdn"]
    assert content
    assert not any(entry.authorised for entry in content)


async def test_who_am_i(hub: SampleHub, child: Child, tmp_path: Path) -> None:
    client = Client(child, hub, tmp_path / "cache")
    assert await client.get("api.whoami()['name']", READER_TOKEN) == "reader"
    assert await client.failure("whoami()", "hf_wrong") == "HfHubHTTPError 401"
