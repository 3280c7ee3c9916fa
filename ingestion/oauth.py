"""Tokens for OAUTHBEARER: client credentials, from the options that Kafka's Java client takes."""

from __future__ import annotations

import base64
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping

from kafka.errors import SaslAuthenticationFailedError
from kafka.net.sasl.oauth import AbstractTokenProvider

from ingestion.feeds import IngestionError

_TIMEOUT_SECONDS = 10
_MARGIN_SECONDS = 30.0


class TokenProvider(AbstractTokenProvider):  # type: ignore[misc]
    """Asks `url` for a token, and again before it expires. To be kept: each one asks for its own.

    `jaas`: `clientId`, `clientSecret` and, where the server wants one, `scope`. Raises
    IngestionError if one is missing: other ways to a token are Java classes.
    """

    def __init__(self, url: str, jaas: Mapping[str, str]) -> None:
        super().__init__()
        if not url.startswith(("http://", "https://")) or not jaas.keys() >= _NEEDED:
            raise IngestionError(
                "OAUTHBEARER needs 'sasl.oauthbearer.token.endpoint.url', and clientId and "
                "clientSecret in 'sasl.jaas.config': set them in [kafka]."
            )
        self._url = url
        self._jaas = jaas
        self._token = ""
        self._expires = 0.0
        self._lock = threading.Lock()

    def token(self) -> str:
        """A token that is valid for now. Raises what the client takes for a refusal."""
        with self._lock:
            if time.monotonic() >= self._expires - _MARGIN_SECONDS:
                self._ask()
            return self._token

    def _ask(self) -> None:
        credentials = f"{self._jaas['clientId']}:{self._jaas['clientSecret']}"
        form = {"grant_type": "client_credentials"}
        if "scope" in self._jaas:
            form["scope"] = self._jaas["scope"]
        request = urllib.request.Request(  # noqa: S310 - its scheme is checked above
            self._url,
            urllib.parse.urlencode(form).encode(),
            {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"},
        )
        asked = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
                content = json.load(answer)
            self._token = str(content["access_token"])
            self._expires = asked + float(content.get("expires_in", 300))
        except urllib.error.HTTPError as error:
            # Not the server's text, which may echo what was sent.
            raise SaslAuthenticationFailedError(f"token endpoint: HTTP {error.code}") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SaslAuthenticationFailedError(f"token endpoint: {type(error).__name__}") from None


_NEEDED = {"clientId", "clientSecret"}
