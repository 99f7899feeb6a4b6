"""The chain's own identity provider: OpenID Connect by the book (Core 1.0), authorization code with PKCE (RFC 7636).

The provider says who somebody is, never what they may do: an account is found by issuer and subject, or bound to them
by an invitation of a person that head office already knows; nobody else comes in. An ID token must be signed by a key
of the provider's JWKS with an asymmetric algorithm, be for this client, of this issuer, of now, and answer the nonce of
this very request; a `state` works once, in the browser that it was made for.

WeCom (企业微信) has a login of its own that is no OpenID Connect, and no kept Python library speaks it; see docs/hq.md.
"""

from __future__ import annotations

import base64
import hashlib
import ssl
import stat
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

from central.settings import OidcSettings
from config.errors import ClocheError, RefusedError
from config.log import describe, get_logger

if TYPE_CHECKING:  # authlib, joserfc and httpx are loaded when a provider is asked: most head offices have none
    from joserfc.jwk import KeySet

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY: Final = 60
TIMEOUT: Final = 10.0
KEPT_FOR: Final = 3600.0
MAX_ANSWER: Final = 256_000
log = get_logger("hq.provider")


class ProviderError(ClocheError):
    """The provider could not be asked, or what it says does not hold. The message is for a reader: no token in it."""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Who the provider says somebody is."""

    subject: str
    """`issuer subject`, as kept with a person."""
    auth_time: int | None = None


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """The provider's discovery document and keys."""

    authorization: str
    token: str
    keys: KeySet = field(repr=False)
    read_at: float


class Provider:
    """Speaks with one provider. Its discovery document and keys are kept for an hour, keys read anew for an unknown
    `kid` (at most once a minute)."""

    def __init__(self, settings: OidcSettings) -> None:
        self._settings = settings
        self._facts: _Facts | None = None
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """What people call it."""
        return self._settings.label or urlsplit(self._settings.issuer).netloc

    def authorization_url(
        self, *, callback: str, state: str, nonce: str, verifier: str, again: bool = False
    ) -> str:  # fmt: skip
        """Where the browser is sent to; `again` has the provider ask even if it knows the browser.

        Raises:
            ProviderError: it cannot be asked.
        """
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        values = {
            "response_type": "code", "client_id": self._settings.client_id, "redirect_uri": callback,
            "scope": "openid profile", "state": state, "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier), "code_challenge_method": "S256",
        }  # fmt: skip
        if again:
            values |= {"prompt": "login", "max_age": "0"}
        endpoint = self._known().authorization
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(values)}"

    def prove(self, *, code: str, callback: str, nonce: str, verifier: str, again: bool = False) -> Proof:
        """Exchange a code for the ID token, and check it.

        Raises:
            ProviderError: it refuses the code, cannot be asked, or its token does not hold.
        """
        import httpx

        facts = self._known()
        fields = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": callback, "code_verifier": verifier,
            "client_id": self._settings.client_id,
        }  # fmt: skip
        secret = self._secret()
        basic = httpx.BasicAuth(self._settings.client_id, secret) if secret else None
        answer = self._ask("POST", facts.token, data=fields, auth=basic)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise ProviderError("the provider gave no ID token")
        claims = self._check(token, nonce, facts, again=again)
        who = claims.get(self._settings.claim)
        if not isinstance(who, str | int) or isinstance(who, bool) or not str(who).strip():
            raise ProviderError(f"the ID token has no {self._settings.claim}")
        auth_time = claims.get("auth_time")
        return Proof(
            subject=subject_of(self._settings.issuer, str(who)),
            auth_time=int(auth_time) if isinstance(auth_time, int | float) else None,
        )

    def _check(self, token: str, nonce: str, facts: _Facts, *, again: bool) -> dict[str, Any]:
        from authlib.oidc.core.claims import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import JoseError

        options: dict[str, Any] = {
            "iss": {"essential": True, "value": self._settings.issuer},
            "aud": {"essential": True, "value": self._settings.client_id},
            "nonce": {"essential": True, "value": nonce},
        }
        params: dict[str, Any] = {"nonce": nonce, "client_id": self._settings.client_id}
        if again:
            params["max_age"] = LEEWAY
        try:
            try:
                decoded = jwt.decode(token, facts.keys, algorithms=list(ALGORITHMS))
            except (JoseError, ValueError):
                fresher = self._known(fresh=True)
                if fresher.read_at == facts.read_at:
                    raise
                decoded = jwt.decode(token, fresher.keys, algorithms=list(ALGORITHMS))
            issuer = decoded.claims.get("iss")
            if isinstance(issuer, str):  # a provider may name itself with a final slash; ours are kept without
                options["iss"]["value"] = (
                    issuer if issuer.rstrip("/") == self._settings.issuer else options["iss"]["value"]
                )
            claims = CodeIDToken(decoded.claims, decoded.header, options, params)
            claims.validate(int(time.time()), LEEWAY)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            log.warning("an ID token does not hold", error=describe(error))
            raise ProviderError("what the provider says does not hold") from None
        if again and time.time() - float(claims["auth_time"]) > LEEWAY + 60:
            raise ProviderError("the provider did not ask anew")
        return dict(claims)

    def _known(self, *, fresh: bool = False) -> _Facts:
        from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        with self._lock:
            facts, moment = self._facts, time.monotonic()
            if facts and moment - facts.read_at < (60 if fresh else KEPT_FOR):
                return facts
            issuer = self._settings.issuer
            parts = urlsplit(issuer)
            told = self._ask("GET", f"{parts.scheme}://{parts.netloc}{get_well_known_url(issuer)}")
            metadata = OpenIDProviderMetadata(told)
            if str(told.get("issuer", "")).rstrip("/") != issuer:
                raise ProviderError("the provider's discovery document is another issuer's")
            try:
                metadata.validate_authorization_endpoint()
                metadata.validate_token_endpoint()
                metadata.validate_jwks_uri()
            except ValueError as error:
                if parts.scheme == "https":
                    raise ProviderError("the provider's discovery document does not hold") from error
            keys = self._ask("GET", str(told["jwks_uri"]))
            try:
                found = KeySet.import_key_set(keys)  # type: ignore[arg-type]  # checked by it
            except (JoseError, ValueError, KeyError, TypeError) as error:
                raise ProviderError("the provider's keys cannot be read") from error
            self._facts = _Facts(
                authorization=str(told["authorization_endpoint"]), token=str(told["token_endpoint"]), keys=found,
                read_at=moment,
            )  # fmt: skip
            return self._facts

    def _ask(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        import httpx

        try:
            with httpx.Client(verify=self._trust(), timeout=TIMEOUT, follow_redirects=False) as client:
                answer = client.request(method, url, headers={"Accept": "application/json"}, **more)
            found = answer.json() if answer.status_code == 200 and len(answer.content) <= MAX_ANSWER else None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
            log.warning("the identity provider cannot be asked", error=describe(error))
            raise ProviderError("the provider cannot be reached now") from None
        if not isinstance(found, dict):
            raise ProviderError(
                "the provider refused" if answer.status_code >= 400 else "the provider answers nonsense"
            )
        return found

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._settings.ca_file or None)

    def _secret(self) -> str:
        if not self._settings.client_secret_file:
            return ""
        file = Path(self._settings.client_secret_file)
        try:
            if file.stat().st_mode & 0o077:
                raise RefusedError(
                    f"{file}: others may read it (mode {stat.S_IMODE(file.stat().st_mode):04o}): chmod 600"
                )
            return file.read_text(encoding="utf-8").partition("\n")[0].strip()
        except OSError as error:
            raise RefusedError(f"{file}: cannot be read: {error.strerror}") from error


def subject_of(issuer: str, subject: str) -> str:
    """How a person's identity at a provider is kept: at most 200 characters."""
    whole = f"{issuer} {subject}"
    digest = base64.urlsafe_b64encode(hashlib.sha256(whole.encode()).digest()).decode("ascii")
    return whole if len(whole) <= 200 else f"{whole[:150]} {digest[:43]}"
