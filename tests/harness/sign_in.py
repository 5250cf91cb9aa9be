"""Sign-in at the hosted page like a console in a browser: authorization code with PKCE, no client secret."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import Any
from urllib.parse import parse_qs, urlencode, urlparse

import urllib3


class Browser:
    """One sign-in of a client; the endpoint serves the pool's domain under its own URL."""

    def __init__(self, url: str, client_id: str, back: str) -> None:
        self._url, self.back = url, back
        self.verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(self.verifier.encode()).digest()
        self._request = {
            "client_id": client_id,
            "response_type": "code",
            "redirect_uri": back,
            "scope": "openid email",
            "state": "s",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }

    def page(self, **changed: str) -> tuple[int, str]:
        """(status, HTML) of the sign-in page."""
        answer = urllib3.request("GET", f"{self._url}/oauth2/authorize?{urlencode({**self._request, **changed})}")
        return answer.status, answer.data.decode()

    def code(self, email: str, password: str) -> str:
        """Sign in and return the authorization code of the redirect."""
        answer = self._post("/login", {**self._request, "username": email, "password": password})
        location = answer.headers["Location"]
        assert location.startswith(f"{self.back}?"), location
        return parse_qs(urlparse(location).query)["code"][0]

    def token(self, code: str, verifier: str) -> tuple[int, dict[str, Any]]:
        """Exchange a code; return (status, tokens)."""
        form = {
            "grant_type": "authorization_code",
            "client_id": self._request["client_id"],
            "code": code,
            "redirect_uri": self.back,
            "code_verifier": verifier,
        }
        answer = self._post("/oauth2/token", form)
        return answer.status, json.loads(answer.data)

    def _post(self, path: str, form: dict[str, str]) -> urllib3.BaseHTTPResponse:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return urllib3.request("POST", self._url + path, body=urlencode(form), headers=headers, redirect=False)
