"""Which addresses a provider may have."""

from contextlib import aclosing, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.errors import ModelshelfError, UnsafeAddress, UsageError
from modelshelf.providers.addresses import clean_url, usable
from modelshelf.providers.discovery import OLLAMA, ollama_url
from modelshelf.providers.http import Endpoint


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("http://127.0.0.1:11434/", "http://127.0.0.1:11434"),
        (" http://localhost:8080/v1/ ", "http://localhost:8080/v1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://llm.example.org/openai/v1", "https://llm.example.org/openai/v1"),
        ("https://192.168.1.20:8443", "https://192.168.1.20:8443"),
    ],
)
def test_an_address_is_kept_with_its_path(given_: str, kept: str) -> None:
    assert clean_url(given_) == kept


@pytest.mark.parametrize(
    ("text", "error", "word"),
    [
        ("127.0.0.1:11434", UsageError, "http://"),
        ("localhost", UsageError, "http://"),
        ("https://2852039166", UsageError, "not the address"),
        ("ftp://127.0.0.1", UsageError, "not the address"),
        ("http://", UsageError, "not the address"),
        ("http://127.0.0.1:99999", UsageError, "not the address"),
        ("http://127.0.0.1/a b", UsageError, "not the address"),
        ("https://user:secret@example.org", UsageError, "password"),
        ("https://example.org/?key=secret", UsageError, "base address"),
        ("https://example.org/#part", UsageError, "base address"),
        ("http://192.168.1.20:11434", UnsafeAddress, "not encrypted"),
        ("https://169.254.169.254/latest", UnsafeAddress, "never"),
        ("https://[::ffff:169.254.169.254]/", UnsafeAddress, "never"),
        ("https://224.0.0.1", UnsafeAddress, "never"),
        ("https://0.0.0.0", UnsafeAddress, "never"),
    ],
)
def test_other_addresses_are_refused_in_words(text: str, error: type[ModelshelfError], word: str) -> None:
    with pytest.raises(error) as caught:
        clean_url(text)
    assert word in f"{caught.value.message} {caught.value.remedy}"
    assert "secret" not in f"{caught.value.message} {caught.value.remedy}"


def test_plain_http_beyond_this_machine_wants_to_be_allowed() -> None:
    assert clean_url("http://192.168.1.20:11434", plain_http=True) == "http://192.168.1.20:11434"


@given(st.text(max_size=60))
def test_any_text_is_an_address_for_good_or_none(text: str) -> None:
    for address in (text, f"https://{text}"):
        with suppress(ModelshelfError):
            kept = clean_url(address)
            assert clean_url(kept) == kept
            assert not any(letter.isspace() for letter in kept)


@given(st.ip_addresses())
def test_every_ip_address_is_judged(address: object) -> None:
    assert usable(str(address)) in (True, False)


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("", OLLAMA),
        ("0.0.0.0", OLLAMA),
        (":8000", "http://127.0.0.1:8000"),
        ("10.0.0.5", "http://10.0.0.5:11434"),
        ("http://gpu:11434/", "http://gpu:11434"),
        ("https://ollama.example.org", "https://ollama.example.org"),
        ("[::]:11434", "http://[::1]:11434"),
        ("http://user:secret@host", OLLAMA),
    ],
)
def test_every_form_of_ollama_host(variable: str, url: str) -> None:
    assert ollama_url({"OLLAMA_HOST": variable}) == url


async def test_a_name_that_leads_to_a_metadata_service_is_not_connected_to() -> None:
    # The resolver of the system reads this as 169.254.169.254.
    endpoint = Endpoint("The provider", "https://0xa9.0xfe.0xa9.0xfe")
    async with aclosing(endpoint):
        with pytest.raises(UnsafeAddress):
            await endpoint.json("GET", "v1/models")


@pytest.mark.parametrize(
    "host",
    ["[fd00:ec2::254]", "[64:ff9b::a9fe:a9fe]", "[::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "[::ffff:169.254.169.254]",
     "100.100.100.200", "metadata.google.internal", "169.254.169.254", "224.0.0.1", "0.0.0.0"],
)  # fmt: skip
def test_metadata_services_are_never_providers(host: str) -> None:
    with pytest.raises(UnsafeAddress):
        clean_url(f"https://{host}/v1", plain_http=True)


def test_a_password_in_an_address_is_not_said_again() -> None:
    for text in ("bob:SECRETPASS@lab.example.org", "https://bob:SECRETPASS@lab.example.org"):
        with pytest.raises(UsageError) as caught:
            clean_url(text)
        assert "SECRETPASS" not in caught.value.message + caught.value.remedy
