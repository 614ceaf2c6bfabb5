from __future__ import annotations

import os
import ssl
from contextlib import ExitStack
from pathlib import Path

from statehold.sdk import Secret
from statehold_aos.gateway._errors import GatewayError


def client_context(
    authorities: Path | None, certificate: Path | None = None, key: Secret | None = None
) -> ssl.SSLContext:
    """Return what checks the cloud's certificate, and shows the unit's own one if there is one.

    Raises:
        GatewayError: a file is not there, or is no certificate, or the key does not fit.

    """
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=authorities)
    except (OSError, ssl.SSLError) as error:
        raise GatewayError(f"the certificates of authorities in {authorities}: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        _load(context, certificate, key)
    return context


def server_context(certificate: Path, key: Path | None, authorities: Path | None = None) -> ssl.SSLContext:
    """Return what shows the cloud's certificate; with *authorities*, units have to show one of theirs.

    Raises:
        GatewayError: a file is not there, or is no certificate, or the key does not fit.

    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
        if authorities is not None:
            context.load_verify_locations(authorities)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise GatewayError(f"the certificate {certificate}: {error}") from error
    return context


def _load(context: ssl.SSLContext, certificate: Path, key: Secret | None) -> None:
    with ExitStack() as stack:
        place: Path | None = None
        if key is not None:
            # OpenSSL wants a file; this one is in memory alone.
            descriptor = os.memfd_create("key", os.MFD_CLOEXEC)
            stack.callback(os.close, descriptor)
            os.write(descriptor, key.reveal().encode())
            place = Path(f"/proc/self/fd/{descriptor}")
        try:
            context.load_cert_chain(certificate, place)
        except (OSError, ssl.SSLError) as error:
            raise GatewayError(
                f"the unit's certificate {certificate}: {error}",
                hint="Give a file in PEM, and the key that belongs to it",
            ) from error
