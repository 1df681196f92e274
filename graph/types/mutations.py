"""Inputs and payloads of keys, tokens and public videos, and what an operation would cost."""

import strawberry

from graph.scalars import URL, BigInt, DateTime
from graph.scopes import Scope
from graph.types.api_key import ApiKey, KeyMode, KeyOwner
from graph.types.creator import Platform
from graph.types.video import PublicVideo

SCOPES = "What it may do; left out: CREATORS_READ, VIDEOS_READ, USAGE_READ."


@strawberry.input(description="Which public video.")
class FetchVideoInput:
    url: URL = strawberry.field(description="The video's page on TikTok, YouTube or Instagram.")


@strawberry.type(description="A public video.")
class FetchVideoPayload:
    video: PublicVideo = strawberry.field(description="What the platform tells anyone.")


@strawberry.input(description="A key to make.")
class CreateApiKeyInput:
    name: str = strawberry.field(description="What it is for, 1 to 100 characters.")
    mode: KeyMode = strawberry.field(default=KeyMode.LIVE, description="Which world it sees.")
    owner: KeyOwner = strawberry.field(default=KeyOwner.MEMBER, description="Whose it is.")
    scopes: list[Scope] | None = strawberry.field(default=strawberry.UNSET, description=SCOPES)
    allowed_ips: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="CIDR ranges; none: any address."
    )
    expires_at: DateTime | None = strawberry.field(default=strawberry.UNSET, description="When it ends.")
    requests_per_minute: int | None = strawberry.field(
        default=strawberry.UNSET, description="Below the plan's."
    )
    monthly_credits: BigInt | None = strawberry.field(
        default=strawberry.UNSET, description="Below the plan's."
    )


@strawberry.input(description="A key to rotate.")
class RotateApiKeyInput:
    id: strawberry.ID = strawberry.field(description="The key.")
    overlap_seconds: int = strawberry.field(
        default=0, description="How long the old secret lives on as RETIRING; at most 30 days."
    )
    until_revoked: bool = strawberry.field(default=False, description="It lives on until it is revoked.")


@strawberry.input(description="What to change about a key; what is left out stays.")
class UpdateApiKeyInput:
    id: strawberry.ID = strawberry.field(description="The key.")
    name: str | None = strawberry.field(default=strawberry.UNSET, description="What it is for.")
    scopes: list[Scope] | None = strawberry.field(default=strawberry.UNSET, description="What it may do.")
    allowed_ips: list[str] | None = strawberry.field(default=strawberry.UNSET, description="CIDR ranges.")
    expires_at: DateTime | None = strawberry.field(
        default=strawberry.UNSET, description="When it ends; null: never."
    )
    requests_per_minute: int | None = strawberry.field(
        default=strawberry.UNSET, description="Below the plan's; null: the plan's."
    )
    monthly_credits: BigInt | None = strawberry.field(
        default=strawberry.UNSET, description="Below the plan's; null: the plan's."
    )


@strawberry.input(description="A key to revoke.")
class RevokeApiKeyInput:
    id: strawberry.ID = strawberry.field(description="The key.")


@strawberry.type(description="A key.")
class ApiKeyPayload:
    api_key: ApiKey = strawberry.field(description="The key, as it stands now.")


@strawberry.type(description="A new key and its secret.")
class ApiKeySecretPayload:
    api_key: ApiKey = strawberry.field(description="The key.")
    secret: str = strawberry.field(description="Shown this once.")


@strawberry.input(description="A username on a platform.")
class PlatformUsername:
    platform: Platform = strawberry.field(description="Where.")
    username: str = strawberry.field(description="Exactly.")


@strawberry.input(description="A token to make for a browser.")
class CreateAccessTokenInput:
    expires_in: int = strawberry.field(default=3600, description="Seconds, 1 to 86,400.")
    allowed_creators: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="Only these creators exist for it."
    )
    allowed_usernames: list[PlatformUsername] | None = strawberry.field(
        default=strawberry.UNSET, description="Resolved to creators when the token is made."
    )
    allowed_references: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="The partner's own ids, likewise."
    )
    max_websockets: int = strawberry.field(default=1, description="Open sockets at once.")
    scopes: list[Scope] | None = strawberry.field(
        default=strawberry.UNSET, description="At most the key's, without those for keys and tokens."
    )


@strawberry.type(description="A token for a browser.")
class AccessTokenPayload:
    token: str = strawberry.field(description="Send it as Authorization: Bearer. Shown this once.")
    expires_at: DateTime = strawberry.field(description="When it ends.")


@strawberry.type(description="The price of one field of an operation.")
class FieldPrice:
    path: str = strawberry.field(description="Response path: creators.edges.node")
    count: int = strawberry.field(description="How many at most.")
    credits: float = strawberry.field(description="What they cost at most.")


@strawberry.type(description="What an operation would cost, without running it.")
class Price:
    max: int = strawberry.field(description="Upper bound in credits.")
    base: int = strawberry.field(description="The least it costs: 1, or 0 when everything in it is free.")
    affordable: bool = strawberry.field(
        description="Whether the balance and the key's own limit cover the upper bound."
    )
    fields: list[FieldPrice] = strawberry.field(description="Where it comes from.")
