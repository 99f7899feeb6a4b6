"""Head office's own certificate authority: what stores pin instead of trusting the world's authorities.

ECDSA P-256, because browsers do not take Ed25519 certificates. A pin is SHA-256 over the authority's
SubjectPublicKeyInfo (RFC 7469, section 2.4), so a renewed certificate of the same key keeps every store.

A store looks at the server's certificate by its own clock, which may be a year off: the server's certificate began
400 days ago and is made anew when less than 400 days are left. Its whole life stays at 825 days, for phones refuse
longer ones of private authorities too (Apple, HT210176).
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from central.home import HeadOfficeHome
from central.moments import now
from central.wire import STORE_URI
from config.errors import ClocheError

AUTHORITY_YEARS: Final = 20
OFF: Final = timedelta(days=400)
SERVER_LASTS: Final = timedelta(days=424)
SKEW: Final = timedelta(days=1)
AUTHORITY_NAME: Final = "Cloche HQ authority"


@dataclass(frozen=True, kw_only=True)
class Authority:
    """The authority at work. `pem` is what stores fetch and pin."""

    pem: str
    certificate: x509.Certificate = field(repr=False)
    key: EllipticCurvePrivateKey = field(repr=False)

    @property
    def pin(self) -> bytes:
        """SHA-256 of its SubjectPublicKeyInfo, 32 bytes."""
        return spki_digest(self.certificate)

    def issue(self, public_key: EllipticCurvePublicKey, store_id: str, lasts: timedelta) -> x509.Certificate:
        """A client certificate for a store; only its key comes from the store, all else is ours."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, store_id)])
        return (
            _certificate(subject, self.certificate.subject, public_key, begins=now() - SKEW, ends=now() + lasts)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(STORE_URI + store_id)]), critical=False
            )
            .add_extension(_issuer(self.certificate), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def certify_server(self, key: EllipticCurvePrivateKey, hosts: Iterable[str]) -> bytes:
        """The server's certificate for `hosts` (names and IP addresses), then the authority's, in PEM."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Cloche HQ")])
        moment = now()
        ends = min(moment + SERVER_LASTS, self.certificate.not_valid_after_utc)
        server = (
            _certificate(subject, self.certificate.subject, key.public_key(), begins=moment - OFF, ends=ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(_issuer(self.certificate), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return server.public_bytes(Encoding.PEM) + self.pem.encode("ascii")


def make_authority(home: HeadOfficeHome, name: str, hosts: Iterable[str]) -> None:
    """Write the authority and the server's certificate for `hosts` (names and IP addresses).

    What is there of them already is kept: an authority that lost its certificate gets one of the same key and name,
    which is the same authority to every store.

    Raises:
        ClocheError: a file that is there is damaged, the server's certificate exists, or the disk refused it.
    """
    if not home.authority_key.exists():
        home.write(home.authority_key, _private(generate_private_key(SECP256R1())))
    if not home.authority_certificate.exists():
        certificate = _certify_authority(read_key(home.authority_key), name)
        home.write(home.authority_certificate, certificate.public_bytes(Encoding.PEM), mode=0o644)
    if not home.server_key.exists():
        home.write(home.server_key, _private(generate_private_key(SECP256R1())))
    chain = read_authority(home).certify_server(read_key(home.server_key), hosts)
    home.write(home.server_chain, chain, mode=0o644)


def _certify_authority(key: EllipticCurvePrivateKey, name: str) -> x509.Certificate:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, name[:64]),
            x509.NameAttribute(NameOID.COMMON_NAME, AUTHORITY_NAME),
        ]
    )
    ends = now() + timedelta(days=365 * AUTHORITY_YEARS)
    return (
        _certificate(subject, subject, key.public_key(), begins=now() - OFF, ends=ends)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def read_authority(home: HeadOfficeHome) -> Authority:
    """The authority of this head office, checked.

    Raises:
        ClocheError: a file is missing or damaged, the two do not belong together, or its time is over.
    """
    certificate = _read_certificate(home.authority_certificate)
    key = read_key(home.authority_key)
    if not _belongs(certificate, key):
        raise ClocheError(
            f"{home.authority_key}: is not the key of {home.authority_certificate}: put both back from one backup"
        )
    if certificate.not_valid_after_utc <= now():
        raise ClocheError(
            f"{home.authority_certificate}: the authority ended on {certificate.not_valid_after_utc:%Y-%m-%d}; "
            "stores need a new head office or a new authority"
        )
    pem = certificate.public_bytes(Encoding.PEM).decode("ascii")
    return Authority(pem=pem, certificate=certificate, key=key)


def read_server(home: HeadOfficeHome) -> tuple[x509.Certificate, EllipticCurvePrivateKey]:
    """The server's certificate and key, checked to belong together.

    Raises:
        ClocheError: a file is missing or damaged, or they do not belong together.
    """
    certificate, key = _read_certificate(home.server_chain), read_key(home.server_key)
    if not _belongs(certificate, key):
        raise ClocheError(f"{home.server_key}: is not the key of {home.server_chain}: run `cloche-hq certificate`")
    return certificate, key


def hosts_of(certificate: x509.Certificate) -> list[str]:
    """The names and addresses that a server's certificate is for."""
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]


def pin_of(authority: Path) -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo of a PEM certificate, 32 bytes.

    Raises:
        ClocheError: the file is missing or no certificate.
    """
    return spki_digest(_read_certificate(authority))


def spki_digest(certificate: x509.Certificate) -> bytes:
    """SHA-256 of a certificate's SubjectPublicKeyInfo, 32 bytes."""
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key).digest()


def server_facts(home: HeadOfficeHome) -> tuple[datetime, list[str]]:
    """When the server's certificate ends, and the hosts it names.

    Raises:
        ClocheError: the file is missing or no certificate.
    """
    certificate = _read_certificate(home.server_chain)
    return certificate.not_valid_after_utc, hosts_of(certificate)


def read_key(file: Path) -> EllipticCurvePrivateKey:
    """A private key of ours.

    Raises:
        ClocheError: the file is missing or no such key.
    """
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except OSError as error:
        raise ClocheError(f"{file}: cannot be read: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise ClocheError(f"{file}: no private key can be read from it") from error
    if not isinstance(key, EllipticCurvePrivateKey):
        raise ClocheError(f"{file}: not an ECDSA key")
    return key


def _read_certificate(file: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except OSError as error:
        raise ClocheError(f"{file}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ClocheError(f"{file}: no certificate can be read from it") from error


def _belongs(certificate: x509.Certificate, key: EllipticCurvePrivateKey) -> bool:
    return certificate.public_key() == key.public_key()


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePublicKey, *, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )


def _issuer(certificate: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


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
