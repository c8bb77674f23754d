"""What an error of TLS means: whose fault it is, and what to do."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable
from pathlib import Path

from lcw_assets.transport.facts import Outcome

# OpenSSL's X509_V_ERR_*, which SSLCertVerificationError has as `verify_code`.
_EXPIRED, _NOT_YET = 10, 9
_ANOTHER_HOST = (62, 63, 64)
_UNKNOWN_ISSUER = (2, 18, 19, 20, 21)


def explain_tls(met: Iterable[BaseException], ca_bundle: tuple[str, str] | None) -> tuple[str, Outcome, bool] | None:
    """What the other end did wrong, the outcome, and whether every further call would get the same.

    Null if none of the errors is one of TLS.
    """
    error = next((one for one in met if isinstance(one, ssl.SSLError)), None)
    if error is None:
        return None
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"failed in TLS: {_certificate(error, ca_bundle)}", "connection", True
    reason = error.reason or str(error)
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "closed the connection in the middle of TLS", "connection", False
    if "CERTIFICATE_REQUIRED" in reason:
        return "failed in TLS: it asks for a client certificate, and there is none to give", "connection", True
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"):
        return "speaks no TLS: is http:// meant, and not https://?", "connection", True
    if "PROTOCOL" in reason or "HANDSHAKE_FAILURE" in reason or "CIPHER" in reason:
        return f"failed in TLS: no version or cipher is known to both sides ({reason})", "connection", True
    return f"failed in TLS ({reason})", "connection", False


def _certificate(error: ssl.SSLCertVerificationError, ca_bundle: tuple[str, str] | None) -> str:
    code = error.verify_code
    if code == _EXPIRED:
        return "its certificate has expired, or this machine's clock is wrong"
    if code == _NOT_YET:
        return "its certificate is not valid yet, or this machine's clock is wrong"
    if code in _ANOTHER_HOST:
        return "its certificate is for another host"
    if code in _UNKNOWN_ISSUER and ca_bundle:
        variable, path = ca_bundle
        return f"the issuer of its certificate is not in {path}, which {variable} names ({error.verify_message})"
    if code in _UNKNOWN_ISSUER:
        return (
            f"the issuer of its certificate is unknown ({error.verify_message}). Where a proxy of yours opens TLS: put "
            "its certificate into a file, and that file's path into REQUESTS_CA_BUNDLE"
        )
    return f"its certificate is not valid ({error.verify_message})"


def bundle_fault(path: str) -> str | None:
    """Why no certificate can be read from this file or folder; null if one can."""
    place = Path(path)
    try:
        if place.is_dir():
            # OpenSSL finds them by the hash of their subject.
            if any(re.fullmatch(r"[0-9a-f]{8}\.\d+", entry.name) for entry in place.iterdir()):
                return None
            return (
                "this folder has no certificate under a name that OpenSSL looks for, such as 5ad8a5d6.0: "
                "name a file, or run `openssl rehash` on the folder"
            )
        place.open("rb").close()
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        return "this file has no certificate in it (in PEM form, between BEGIN CERTIFICATE and END CERTIFICATE)"
    except FileNotFoundError:
        return "this file does not exist: mend the path, or set the variable to nothing"
    except OSError as error:
        return f"this cannot be read ({error.strerror}): mend its permissions, or set the variable to nothing"
    return None
