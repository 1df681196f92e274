"""Every setting, read once from the environment: one prefix, CREATOR_GRAPH_."""

import base64
import os
import re
import secrets
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, FilePath, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from services import addresses

ROOT = Path(__file__).parent.parent
TEST_CLIENT = "creator-graph-test"


class Settings(BaseSettings):
    """Lists are comma-separated. Empty text counts as not set."""

    model_config = SettingsConfigDict(
        env_prefix="CREATOR_GRAPH_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    database_url: str | None = Field(
        default=None, description="PostgreSQL 18; without it an embedded server is started."
    )
    host: str = Field(default="127.0.0.1", description="Where the API listens.")
    port: int = Field(default=4000, description="Where the API listens.")
    public_url: str | None = Field(
        default=None, description="How browsers reach the API; default http://HOST:PORT."
    )
    data_dir: Path = Field(default=Path("var"), description="Embedded database, made keys, simulator state.")
    secret_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="Base64 keys that seal platform tokens; the first seals, all open. Made on first run.",
    )
    key_prefix: str = Field(default="sk", pattern=r"^[a-z]{1,10}$", description="What keys begin with.")
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="CIDRs of proxies whose X-Forwarded-For and Forwarded are believed."
    )
    country_header: str | None = Field(
        default=None, description="Header of a trusted proxy that tells the country."
    )
    geoip_database: FilePath | None = Field(
        default=None, description="A MaxMind database file (.mmdb) of countries, where no header tells."
    )
    refuse_keys_in_browsers: bool = Field(
        default=False, description="Whether a server key sent by a page in a browser is refused."
    )
    redis_url: str | None = Field(default=None, description="Shared rate limits for several processes.")
    rate_limits: Literal["memory", "postgres"] = Field(
        default="memory",
        description="Where requests are counted without Redis: postgres for several processes.",
    )
    broker_urls: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="Nodes of a RabbitMQ cluster that tells workers of jobs: amqp[s]://user:password@host/vhost.",
    )
    simulator_url: str | None = Field(
        default=None, description="Test mode's platforms; default: our own, PUBLIC_URL/simulators."
    )
    tiktok_client_key: str | None = Field(default=None, description="Your TikTok app, for live mode.")
    tiktok_client_secret: SecretStr | None = Field(
        default=None, description="Your TikTok app, for live mode."
    )
    tiktok_auth_url: str = Field(
        default="https://www.tiktok.com", description="Host of TikTok's consent page."
    )
    tiktok_api_url: str = Field(default="https://open.tiktokapis.com", description="Host of TikTok's API.")
    tiktok_oembed_url: str = Field(
        default="https://www.tiktok.com/oembed", description="Where TikTok tells about public videos."
    )
    tiktok_requests_per_minute: int = Field(
        default=600, ge=1, description="TikTok's limit an endpoint and app; a tenth is left unused."
    )
    instagram_client_id: str | None = Field(
        default=None, description="Your Instagram app (its Instagram app id), for live mode."
    )
    instagram_client_secret: SecretStr | None = Field(
        default=None, description="Your Instagram app's secret, for live mode."
    )
    instagram_auth_url: str = Field(
        default="https://www.instagram.com", description="Host of Instagram's consent page."
    )
    instagram_token_url: str = Field(
        default="https://api.instagram.com", description="Host of Instagram's code exchange."
    )
    instagram_api_url: str = Field(
        default="https://graph.instagram.com", description="Host of Instagram's API."
    )
    instagram_oembed_url: str = Field(
        default="https://graph.facebook.com/v25.0/instagram_oembed",
        description="Where Instagram tells about public posts.",
    )
    instagram_oembed_token: SecretStr | None = Field(
        default=None,
        description="The Meta app's token for it, <app id>|<client token>; without it fetchVideo has no Instagram.",
    )
    youtube_client_id: str | None = Field(default=None, description="Your Google app, for live mode.")
    youtube_client_secret: SecretStr | None = Field(
        default=None, description="Your Google app, for live mode."
    )
    youtube_auth_url: str = Field(
        default="https://accounts.google.com", description="Host of Google's consent page."
    )
    youtube_token_url: str = Field(
        default="https://oauth2.googleapis.com", description="Host of Google's tokens."
    )
    youtube_api_url: str = Field(
        default="https://www.googleapis.com", description="Host of the YouTube Data API."
    )
    youtube_oembed_url: str = Field(
        default="https://www.youtube.com/oembed", description="Where YouTube tells about public videos."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Origins of pages that may ask, exactly: https://app.example, no wildcard."
    )
    youtube_units_per_day: int = Field(
        default=10_000, ge=1, description="Your Google project's daily quota; workers leave a tenth of it."
    )
    drain_seconds: float = Field(
        default=2.0, ge=0, le=60, description="How long open connections may end by themselves at shutdown."
    )
    compiled: bool = Field(default=True, description="Whether planned reads skip the per-field executor.")
    graphiql: bool = Field(default=True, description="Whether /graphiql is served.")
    log_level: Literal["debug", "info", "warning", "error"] | None = Field(
        default=None, description="debug, info, warning or error; default info, for `run` warning."
    )

    @field_validator("secret_keys", "trusted_proxies", "cors_origins", "broker_urls", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not re.fullmatch(
                r"https?://[a-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:.]+\](:\d{1,5})?", origin
            ):
                raise ValueError(
                    f"{origin!r} is no origin: scheme://host, or scheme://host:port, in lower case"
                )
        return value

    @field_validator("broker_urls")
    @classmethod
    def _nodes(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for url in value:
            parts = urlsplit(url.get_secret_value())
            if parts.scheme not in {"amqp", "amqps"} or not parts.hostname:
                raise ValueError("each is amqp://user:password@host:port/vhost, or amqps:// with TLS")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            try:
                addresses.network(network)
            except ValueError as error:
                raise ValueError(f"{network} {error}") from None
        return value

    @field_validator(
        "public_url",
        "simulator_url",
        "tiktok_auth_url",
        "tiktok_api_url",
        "instagram_auth_url",
        "instagram_token_url",
        "instagram_api_url",
        "youtube_auth_url",
        "youtube_token_url",
        "youtube_api_url",
        "tiktok_oembed_url",
        "instagram_oembed_url",
        "youtube_oembed_url",
    )
    @classmethod
    def _no_slash(cls, value: str | None) -> str | None:
        return value.rstrip("/") if value else value

    @cached_property
    def public(self) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 -- compared, not bound
        host = f"[{host}]" if ":" in host else host
        return self.public_url or f"http://{host}:{self.port}"

    @cached_property
    def simulator(self) -> str:
        return self.simulator_url or f"{self.public}/simulators"

    @cached_property
    def public_host(self) -> str:
        return urlsplit(self.public).netloc.lower()

    @cached_property
    def networks(self) -> tuple[addresses.Network, ...]:
        return tuple(addresses.network(network) for network in self.trusted_proxies)

    @cached_property
    def cors(self) -> frozenset[str]:
        return frozenset(self.cors_origins)

    def vault_keys(self) -> list[str]:
        """Keys that seal tokens: those given, else one made on first run and kept in the data directory."""
        if self.secret_keys:
            return [key.get_secret_value() for key in self.secret_keys]
        return [_kept(self.data_dir / "secret_key")]

    def test_client_secret(self) -> str:
        """Our registration at our own simulators; made on first run."""
        return _kept(self.data_dir / "simulator_secret")


def _kept(path: Path) -> str:
    """A random secret in a file that only we can read; made where it is missing, by one process alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f"{path.name}.{os.getpid()}")
    if not path.exists():
        made.touch(mode=0o600)
        made.write_text(base64.b64encode(secrets.token_bytes(32)).decode())
        try:
            os.link(made, path)  # fails where another process was first
        except FileExistsError:
            return path.read_text().strip()
        finally:
            made.unlink()
    return path.read_text().strip()
