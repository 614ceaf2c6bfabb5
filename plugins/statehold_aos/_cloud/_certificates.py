from __future__ import annotations

import datetime as dt
import ipaddress
import os
from pathlib import Path
from typing import Final

import attrs
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAYS: Final = 365
#: Which a certificate must be good for, to be taken again.
_LEFT_DAYS: Final = 30
_THIS_MACHINE: Final = ("localhost", "127.0.0.1", "::1")
_SIGNS: Final = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


@attrs.frozen
class Made:
    """Certificates that were made to develop with, as files in PEM.

    Attributes:
        authority: whom the units are to trust.
        cloud: the cloud's own, with its key.
        unit: one for a unit, with its key.

    """

    authority: Path
    cloud: Path
    unit: Path


def make_certificates(folder: Path, hosts: tuple[str, ...] = ()) -> Made:
    """Make an authority, and certificates of the cloud and of a unit from it, unless good ones are there.

    The authority's key is forgotten: it signs nothing else. They are good for a year; a month before its end
    all of them are made anew, and units have to be given theirs again.

    Raises:
        OSError: the folder cannot be written.

    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = Made(folder / "authority.pem", folder / "cloud.pem", folder / "unit.pem")
    if _are_good(made):
        return made
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Statehold, to develop with")])
    authority = (
        _builder(name, name, key.public_key(), signed_by=key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_SIGNS, critical=True)
    )
    _write(made.authority, authority.sign(key, hashes.SHA256()), None)
    for path, hosts_of in ((made.cloud, (*_THIS_MACHINE, *hosts)), (made.unit, ("unit",))):
        own = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, path.stem)])
        names = x509.SubjectAlternativeName([_name(host) for host in dict.fromkeys(hosts_of)])
        leaf = _builder(subject, name, own.public_key(), signed_by=key).add_extension(names, critical=False)
        _write(path, leaf.sign(key, hashes.SHA256()), own)
    return made


def _are_good(made: Made) -> bool:
    """Say whether files have certificates that belong together, with their keys, and are good for a while."""
    try:
        authority, *others = all_of = [_read(path) for path in attrs.astuple(made)]
        for path, certificate in zip((made.cloud, made.unit), others, strict=True):
            certificate.verify_directly_issued_by(authority)
            serialization.load_pem_private_key(path.read_bytes(), None)
    except (FileNotFoundError, InvalidSignature, TypeError, ValueError):
        return False
    until = min(certificate.not_valid_after_utc for certificate in all_of)
    return until - dt.datetime.now(dt.UTC) > dt.timedelta(days=_LEFT_DAYS)


def _read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    *,
    signed_by: ec.EllipticCurvePrivateKey,
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signed_by.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=_DAYS))
        # Python refuses certificates without these from 3.13 on.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(signer, critical=False)
    )


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey | None) -> None:
    parts = [certificate.public_bytes(serialization.Encoding.PEM)]
    if key is not None:
        form = serialization.PrivateFormat.PKCS8
        parts.append(
            key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()),
        )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(b"".join(parts))
