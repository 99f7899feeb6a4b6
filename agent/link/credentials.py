"""The key and certificate with which this store speaks to head office.

The key is made here and never leaves the machine; until head office has answered, it waits in root's folder of keys.
Key and certificate reach the link in one file (`link.json`), so that it never sees one without the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from central.wire import STORE_URI
from config.errors import ClocheError
from containment.atomic import write_file

SKEW: Final = timedelta(days=1)
"""How long before it was given a store's certificate begins (docs/wire-v1.md)."""


def make_request(waiting: Path) -> str:
    """A new key, kept at `waiting` (0600), and the request for its certificate (PKCS #10, PEM).

    Raises:
        ClocheError: the disk refused it.
    """
    key = generate_private_key(SECP256R1())
    try:
        write_file(waiting, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    except OSError as error:
        raise ClocheError(f"{waiting}: cannot be written: {error.strerror}") from error
    return request_of(key)


def request_of(key: EllipticCurvePrivateKey) -> str:
    """The request for a key's certificate; head office takes nothing but the key from it."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode("ascii")


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A certificate with its key, both PEM, and how many seconds it lives from the moment it was given."""

    certificate_pem: str
    key_pem: str = field(repr=False)
    seconds: float


def take(waiting: Path, certificate_pem: str, authority_pem: str, store: str) -> Credentials:
    """The certificate with the waiting key, if it is for that key and for this store, by this authority.

    Raises:
        ValueError: it is another one, or there is no waiting key.
    """
    try:
        pem = waiting.read_bytes()
        key = load_pem_private_key(pem, None)
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode("ascii"))
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority_pem.encode("ascii")))
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        is_ours = certificate.public_key() == key.public_key()
    except (OSError, TypeError, ValueError, InvalidSignature, UnsupportedAlgorithm, x509.ExtensionNotFound) as error:
        raise ValueError("a certificate that cannot be used") from error
    if not is_ours or names.get_values_for_type(x509.UniformResourceIdentifier) != [STORE_URI + store]:
        raise ValueError("another key's or store's certificate")
    lives = certificate.not_valid_after_utc - certificate.not_valid_before_utc - SKEW
    return Credentials(
        certificate_pem=certificate_pem, key_pem=pem.decode("ascii"), seconds=max(lives.total_seconds(), 1.0)
    )
