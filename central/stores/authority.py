"""Head office's own certificate authority: what stores pin instead of trusting the world's authorities.

ECDSA P-256, because browsers do not take Ed25519 certificates. A pin is SHA-256 over the authority's
SubjectPublicKeyInfo (RFC 7469, section 2.4), so a renewed certificate of the same key keeps every store.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from central.home import HeadOfficeHome
from config.errors import ClocheError

AUTHORITY_YEARS: Final = 20
SERVER_DAYS: Final = 800
SKEW: Final = timedelta(days=1)


def make_authority(home: HeadOfficeHome, name: str, hosts: Iterable[str]) -> None:
    """Write the authority and the server's certificate for `hosts` (names and IP addresses).

    Raises:
        ClocheError: a file exists already, or the disk refused it.
    """
    now = datetime.now(UTC)
    authority_key, server_key = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, name[:64]),
            x509.NameAttribute(NameOID.COMMON_NAME, "Cloche HQ authority"),
        ]
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    authority = (
        _certificate(subject, subject, authority_key, now, timedelta(days=365 * AUTHORITY_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    server = (
        _certificate(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Cloche HQ")]), subject, server_key, now,
            timedelta(days=SERVER_DAYS),
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(server_key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )  # fmt: skip
    authority_pem = authority.public_bytes(Encoding.PEM)
    home.write(home.authority_key, _private(authority_key))
    home.write(home.authority_certificate, authority_pem, mode=0o644)
    home.write(home.server_key, _private(server_key))
    home.write(home.server_chain, server.public_bytes(Encoding.PEM) + authority_pem, mode=0o644)


def pin_of(authority: Path) -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo of a PEM certificate, 32 bytes.

    Raises:
        ClocheError: the file is missing or no certificate.
    """
    try:
        certificate = x509.load_pem_x509_certificate(authority.read_bytes())
    except (OSError, ValueError) as error:
        raise ClocheError(f"{authority}: no certificate can be read from it") from error
    return spki_digest(certificate)


def spki_digest(certificate: x509.Certificate) -> bytes:
    """SHA-256 of a certificate's SubjectPublicKeyInfo, 32 bytes."""
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key).digest()


def server_facts(home: HeadOfficeHome) -> tuple[datetime, list[str]]:
    """When the server's certificate ends, and the hosts it names.

    Raises:
        ClocheError: the file is missing or no certificate.
    """
    try:
        certificate = x509.load_pem_x509_certificate(home.server_chain.read_bytes())
    except (OSError, ValueError) as error:
        raise ClocheError(f"{home.server_chain}: no certificate can be read from it") from error
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return certificate.not_valid_after_utc, [str(name.value) for name in names]


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, now: datetime, lasts: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + lasts)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=signs_certificates,
        crl_sign=signs_certificates, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _private(key: EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
