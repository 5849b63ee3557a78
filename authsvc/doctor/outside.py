"""What clients meet at the external address, with all that stands before nginx."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from contextlib import closing
from http.client import HTTPResponse
from urllib.parse import urlencode, urlsplit

from authsvc.distribution.challenge import parse_challenge
from authsvc.doctor.findings import LOOPBACK, Check, Finding, Patient, bad, doubtful, good, skipped

_TIMEOUT = 5.0  # seconds
_UPLOAD = "/v2/library/tidegate-doctor/blobs/uploads/"
_LARGE = 20 * 1024**3  # bytes of a layer that is announced, and not sent
_LONG = 7000  # characters of an address; many scopes make one as long
_NO_ANSWER = "see what stands before nginx, whether a firewall lets clients through, and whether nginx runs (authsvc status)"


class _Unreached(Exception):
    """Nobody answers at the external address; the text says why."""


def _asked(
    patient: Patient, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
) -> HTTPResponse:
    connection = _connected(patient)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        answer.read(65536)
    except (OSError, http.client.HTTPException) as error:
        raise _Unreached(str(error) or type(error).__name__) from error
    else:
        return answer
    finally:
        connection.close()


def _connected(patient: Patient, *, verified: bool = True) -> http.client.HTTPConnection:
    parts = urlsplit(patient.settings.external_url)
    host = parts.hostname or ""
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, parts.port or 80, timeout=_TIMEOUT)
    context = ssl.create_default_context()
    if patient.settings.tls_certificate is None and patient.layout.ca_certificate.exists():
        context.load_verify_locations(patient.layout.ca_certificate)
    if not verified:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(host, parts.port or 443, timeout=_TIMEOUT, context=context)


def _reached(patient: Patient) -> Finding:
    connection = _connected(patient, verified=False)
    try:
        begun = time.perf_counter()
        connection.connect()
    except OSError as error:
        return bad(f"{patient.settings.external_url} does not answer from here: {error}", _NO_ANSWER)
    finally:
        connection.close()
    return good(f"{patient.settings.external_url} answers from here within {(time.perf_counter() - begun) * 1000:.0f} ms")


def _trusted(patient: Patient) -> Finding:
    """The chain as it is sent, not as it lies in a file."""
    if not patient.settings.external_url.startswith("https"):
        return skipped("without TLS")
    connection = _connected(patient)
    try:
        connection.connect()
    except ssl.SSLCertVerificationError as error:
        return bad(
            f"clients do not trust what they are shown: {error.verify_message}",
            "send the whole chain, the leaf first, for this very name; clients need the authority: it is at the start page",
        )
    except OSError as error:
        raise _Unreached(str(error)) from error
    finally:
        connection.close()
    return good("the chain that is sent verifies")


def _realm(patient: Patient) -> Finding:
    answer = _asked(patient, "GET", "/v2/")
    challenge = parse_challenge(answer.headers.get("WWW-Authenticate", ""))
    if answer.status != 401 or not challenge.realm:
        return bad(
            f"/v2/ answers {answer.status}, and says not where tokens are",
            "something else answers there, or a proxy takes WWW-Authenticate away",
        )
    if challenge.realm != patient.settings.realm:
        return bad(
            f"/v2/ sends clients to {challenge.realm}",
            f"it should be {patient.settings.realm}: another Tidegate answers, or `authsvc restart` is due",
        )
    return good(f"tokens are at {challenge.realm}")


def _credentials(patient: Patient) -> Finding:
    """Whether names and passwords come through. What is shown cannot be read, so that it is nobody's wrong password; without it
    everybody would get this token."""
    asked = f"{_token_path(patient)}&scope=repository:library/doctor:pull"
    answer = _asked(patient, "GET", asked, {"Authorization": "Basic !"})
    if answer.status == 401:
        return good("credentials come through to the token endpoint")
    return bad(
        f"the token endpoint answers {answer.status}", "a proxy before it must pass Authorization on, and answer nothing itself"
    )


def _token_path(patient: Patient) -> str:
    return f"/service/token?{urlencode({'service': patient.settings.token_service})}"


def _size(patient: Patient) -> Finding:
    """A large layer is announced without a credential: we say 401 before a byte of it is sent."""
    connection = _connected(patient)
    try:
        connection.putrequest("POST", _UPLOAD)
        connection.putheader("Content-Length", str(_LARGE))
        connection.endheaders()
        connection.send(b"x")
        status = connection.getresponse().status
    except TimeoutError:
        return bad(
            "an upload is not passed on before all of it has come",
            "a proxy before nginx must not buffer bodies (proxy_request_buffering off)",
        )
    except (OSError, http.client.HTTPException) as error:
        raise _Unreached(str(error) or type(error).__name__) from error
    finally:
        connection.close()
    if status == 413:
        return bad("large layers are refused (413)", "a proxy before nginx must not limit bodies (client_max_body_size 0)")
    return (
        good("a layer of 20 GiB may come, and is not kept waiting")
        if status == 401
        else doubtful(f"an upload answers {status}", "a proxy before nginx answers it")
    )


def _length(patient: Patient) -> Finding:
    scopes = "&".join(f"scope=repository:library/{number}{'x' * 200}:pull" for number in range(_LONG // 234))
    status = _asked(patient, "GET", f"{_token_path(patient)}&{scopes}").status
    if status in (414, 431, 400):
        return bad(
            f"an address of {len(scopes)} characters answers {status}",
            "a proxy must take 32 kB (large_client_header_buffers 4 32k): docker asks for many scopes at once",
        )
    return good(f"addresses of {len(scopes)} characters come through")


def _encoded(patient: Patient) -> Finding:
    """Harbor's clients write a repository's name doubly encoded."""
    answer = _asked(patient, "GET", "/api/v2.0/projects/library/repositories/a%252Fb")
    if answer.status in (401, 403, 404, 200) and "json" in answer.headers.get("Content-Type", ""):
        return good("encoded names come through")
    return bad(f"an encoded name answers {answer.status}", "a proxy must pass the path as it came, without decoding it")


def _redirect(patient: Patient) -> Finding:
    if not patient.settings.tls or not patient.settings.http_port:
        return skipped("no plain HTTP is served beside TLS")
    with closing(http.client.HTTPConnection(patient.nginx, patient.settings.http_port, timeout=_TIMEOUT)) as connection:
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
        except OSError as error:
            return doubtful(f"plain HTTP does not answer: {error}", "see that nginx runs; TIDEGATE_HTTP_PORT=0 switches it off")
    if answer.status in (301, 308) and answer.headers.get("Location", "").startswith(patient.settings.external_url):
        return good("plain HTTP leads to TLS")
    return bad(f"plain HTTP answers {answer.status}", f"something else listens on port {patient.settings.http_port}")


def _noted(look: Check) -> Check:
    def careful(patient: Patient) -> Finding:
        host = urlsplit(patient.settings.external_url).hostname or ""
        if patient.at and host in LOOPBACK:
            return skipped(f"{host} is another place for containers than for clients")
        try:
            return look.look(patient)
        except _Unreached as error:
            return skipped(f"nobody answers at {patient.settings.external_url}: {error}")
        except socket.gaierror as error:
            return skipped(str(error))

    return Check(look.name, careful)


CHECKS = tuple(
    _noted(check)
    for check in (
        Check("outside.reached", _reached),
        Check("outside.trusted", _trusted),
        Check("outside.realm", _realm),
        Check("outside.credentials", _credentials),
        Check("outside.size", _size),
        Check("outside.length", _length),
        Check("outside.encoded", _encoded),
        Check("outside.redirect", _redirect),
    )
)
