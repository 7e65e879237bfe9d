"""Certificates of the sample hub: an authority of its own that may vouch for this machine's loopback only.

The authority's key is never written: it signs once and is gone. Only Modelshelf's own client trusts it.
"""

import datetime as dt
import ipaddress
import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = dt.timedelta(days=365)
RENEWED_BEFORE = dt.timedelta(days=30)
LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where the authority's certificate and the server's certificate with its key lie."""

    ca: Path
    server: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """What the hub speaks TLS with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.server, self.key)
        return context

    def client_context(self) -> ssl.SSLContext:
        """What trusts this hub and nobody else."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(self.ca)
        return context


def certificates(folder: Path) -> Certificates:
    """The certificates in the folder, made anew if there are none or they end soon. Call it under the folder's lock."""
    found = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    if not _good(found):
        folder.mkdir(parents=True, exist_ok=True)
        _make(found)
    return found


def _good(found: Certificates) -> bool:
    if not (found.ca.is_file() and found.server.is_file() and found.key.is_file()):
        return False
    try:
        certificate = x509.load_pem_x509_certificate(found.server.read_bytes())
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(found.ca.read_bytes()))
        found.server_context()
    except (ValueError, TypeError, InvalidSignature, ssl.SSLError):
        return False
    return certificate.not_valid_after_utc - dt.datetime.now(dt.UTC) > RENEWED_BEFORE


def _make(wanted: Certificates) -> None:
    now = dt.datetime.now(dt.UTC)
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Modelshelf sample hub (this machine only)")])
    ca = _begin(name, name, authority.public_key(), now)
    ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    ca = ca.add_extension(_usage(signs=True), critical=True)
    ca = ca.add_extension(
        x509.NameConstraints([x509.IPAddress(LOOPBACK), x509.DNSName("localhost")], None), critical=True
    )
    ca = ca.add_extension(x509.SubjectKeyIdentifier.from_public_key(authority.public_key()), critical=False)
    leaf = _begin(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")]), name, key.public_key(), now
    ).add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    addresses = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    leaf = leaf.add_extension(x509.SubjectAlternativeName(addresses), critical=False)
    leaf = leaf.add_extension(_usage(signs=False), critical=True)
    leaf = leaf.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    leaf = leaf.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False
    )
    leaf = leaf.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    _write(wanted.ca, ca.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    _write(wanted.server, leaf.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    _write(
        wanted.key,
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def _begin(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: dt.datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - dt.timedelta(hours=1)).not_valid_after(now + LIFETIME)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _write(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    part = path.with_suffix(path.suffix + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
        handle.write(data)
    part.replace(path)
