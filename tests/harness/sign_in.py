"""Signing in at the hosted page as a console in a browser does: authorization code with PKCE, no secret."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import Any
from urllib.parse import parse_qs, urlencode, urlparse

import urllib3


class Browser:
    """One sign-in of a client at a pool's domain, which the endpoint serves under its own URL."""

    def __init__(self, url: str, client_id: str, back: str) -> None:
        self._url, self.back = url, back
        self.verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(self.verifier.encode()).digest()
        self._asked = {
            "client_id": client_id,
            "response_type": "code",
            "redirect_uri": back,
            "scope": "openid email",
            "state": "s",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }

    def page(self, **changed: str) -> tuple[int, str]:
        """(status, HTML) of the page."""
        answer = urllib3.request("GET", f"{self._url}/oauth2/authorize?{urlencode({**self._asked, **changed})}")
        return answer.status, answer.data.decode()

    def code(self, email: str, password: str) -> str:
        """The code that the browser is sent back with."""
        answer = self._post("/login", {**self._asked, "username": email, "password": password})
        place = answer.headers["Location"]
        assert place.startswith(f"{self.back}?"), place
        return parse_qs(urlparse(place).query)["code"][0]

    def token(self, code: str, verifier: str) -> tuple[int, dict[str, Any]]:
        """(status, tokens) for a code."""
        form = {
            "grant_type": "authorization_code",
            "client_id": self._asked["client_id"],
            "code": code,
            "redirect_uri": self.back,
            "code_verifier": verifier,
        }
        answer = self._post("/oauth2/token", form)
        return answer.status, json.loads(answer.data)

    def _post(self, path: str, form: dict[str, str]) -> urllib3.BaseHTTPResponse:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return urllib3.request("POST", self._url + path, body=urlencode(form), headers=headers, redirect=False)
