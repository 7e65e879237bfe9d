from modelshelf.catalog import CatalogService
from modelshelf.config import ConfigManager
from modelshelf.network import Network
from modelshelf.samples import CHAT_REPO, GATED_REPO, READER_TOKEN

SAMPLES = {"name": "samples", "kind": "samples", "label": "Samples (offline)"}


async def test_the_sample_hub_answers_without_a_network(catalog: CatalogService, config: ConfigManager) -> None:
    config.set("network.offline", True)
    config.set("sources", [{"name": "hf", "kind": "huggingface"}, SAMPLES])
    answer = await catalog.find("tiny-llama")
    assert [report.status for report in answer.sources] == ["off", "fresh"]
    row = answer.rows[0]
    assert (row.repo, row.licence, row.formats) == (CHAT_REPO, "apache-2.0", ("gguf",))
    assert row.size
    source, name = await catalog.resolve(CHAT_REPO)
    assert str(name) == f"samples:{CHAT_REPO}"
    detail = await catalog.detail(name)
    weights = max(detail.files, key=lambda file: file.size)
    network = Network(config)
    location = await source.locate(name.repo, detail.commit, weights.path)
    head = await network.fetch_range(location, 0, 4)
    assert (head.data, head.total) == (b"GGUF", weights.size)
    await network.aclose()


async def test_a_token_opens_the_gated_sample(catalog: CatalogService, config: ConfigManager) -> None:
    config.set("sources", [SAMPLES | {"token_env": "SAMPLE_TOKEN"}])
    config.environ["SAMPLE_TOKEN"] = READER_TOKEN
    detail = await catalog.detail(GATED_REPO)
    assert detail.card.gated
    assert detail.readme
