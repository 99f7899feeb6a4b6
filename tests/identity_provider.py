"""A small OpenID provider as a process of its own: real HTTP, real RSA keys, codes that work once, PKCE checked.

`python identity_provider.py` prints its issuer. What the next ID token says can be bent through `/bend` (JSON), as a
provider that errs or lies would: `sub`, `nonce`, `aud`, `iss`, `exp` (seconds from now), `key` (other), `alg` (none,
HS256), `drop` (a claim).
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "cloche-test", "test-secret-of-the-client"


class State:
    """What the provider knows."""

    key = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig", "alg": "RS256"})
    other = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig", "alg": "RS256"})
    codes: dict[str, dict[str, str]] = {}  # noqa: RUF012  one process, one provider
    bend: dict[str, Any] = {}  # noqa: RUF012


class Handler(BaseHTTPRequestHandler):
    """Discovery, authorization, token, keys."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/.well-known/openid-configuration":
            base = f"http://127.0.0.1:{self.server.server_port}"
            self.answer(
                {
                    "issuer": State.bend.get("discovery") or base, "authorization_endpoint": f"{base}/authorize",
                    "token_endpoint": f"{base}/token", "jwks_uri": f"{base}/keys", "response_types_supported": ["code"],
                    "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
                }
            )  # fmt: skip
        elif parts.path == "/keys":
            self.answer({"keys": [State.key.as_dict(private=False)]})
        elif parts.path == "/authorize":
            code = secrets.token_urlsafe(16)
            State.codes[code] = query
            self.send_response(302)
            self.send_header(
                "Location", f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"
            )
            self.end_headers()
        else:
            self.answer({"error": "not_found"}, 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/bend":
            State.bend = json.loads(body)
            self.answer({})
            return
        fields = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        asked = State.codes.pop(fields.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        fits = (
            asked is not None
            and self.headers.get("Authorization") == f"Basic {basic}"
            and asked["redirect_uri"] == fields.get("redirect_uri")
            and asked["code_challenge_method"] == "S256"
            and asked["code_challenge"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
        )
        if not fits or asked is None:
            self.answer({"error": "invalid_grant"}, 400)
            return
        self.answer({"access_token": "x", "token_type": "Bearer", "id_token": self.token(asked)})

    def token(self, asked: dict[str, str]) -> str:
        bend, moment = State.bend, int(time.time())
        claims = {
            "iss": bend.get("iss", f"http://127.0.0.1:{self.server.server_port}"), "sub": bend.get("sub", "staff-0001"),
            "aud": bend.get("aud", CLIENT), "exp": moment + bend.get("exp", 300), "iat": moment,
            "nonce": bend.get("nonce", asked["nonce"]), "auth_time": moment + bend.get("auth_time", 0),
        }  # fmt: skip
        claims.pop(bend.get("drop", ""), None)
        match bend.get("alg"):
            case "none":
                parts = [json.dumps(part).encode() for part in ({"alg": "none", "kid": "k1"}, claims)]
                return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."
            case "HS256":  # the public key taken for a shared secret
                from joserfc.jwk import OctKey

                pem = State.key.as_pem(private=False)
                return jwt.encode({"alg": "HS256", "kid": "k1"}, claims, OctKey.import_key(pem.hex()))
        key = State.other if bend.get("key") == "other" else State.key
        return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, key)

    def answer(self, document: dict[str, Any], status: int = 200) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_parts: object) -> None:
        """Nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
