"""A client's side of mutual TLS: one authority to trust, and a certificate that lies in no file of its own.

`SSLContext.load_cert_chain` takes names of files only. An anonymous file in memory (`memfd_create(2)`) is one that
nobody else can open by name, that needs no writable folder and is gone with its descriptor.
"""

from __future__ import annotations

import os
import ssl

from config.errors import ClocheError


def client_context(authority_pem: str, certificate_pem: str = "", key_pem: str = "") -> ssl.SSLContext:
    """Trust this authority alone, check the host's name, and show this certificate where there is one.

    Raises:
        ClocheError: certificate and key do not belong together, or are damaged.
        ssl.SSLError: the authority's certificate is damaged.
    """
    context = ssl.create_default_context(cadata=authority_pem)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate_pem:
        descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
        try:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(f"{key_pem}\n{certificate_pem}\n".encode("ascii"))
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        except (ssl.SSLError, OSError, UnicodeError) as error:
            raise ClocheError("the certificate of this store is damaged: run cloche enrol again") from error
        finally:
            os.close(descriptor)
    return context
