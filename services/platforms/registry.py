"""Which connector speaks to which platform in which world, and what its failures mean to a caller."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services import errors
from services.platforms import base, client, oembed


@dataclass(frozen=True)
class Platforms:
    """The configured connectors, by platform and world (True: live); and where public videos are asked for."""

    connectors: Mapping[tuple[str, bool], base.Connector]
    oembeds: Mapping[tuple[str, bool], tuple[oembed.Source, client.Client]] = field(default_factory=dict)

    def connector(self, platform: str, livemode: bool) -> base.Connector:
        """The connector. Raises PlatformError, NOT_OFFERED, when none is configured."""
        connector = self.connectors.get((platform, livemode))
        if connector is None:
            raise _not_offered(platform, livemode)
        return connector

    def oembed_of(self, platform: str, livemode: bool) -> tuple[oembed.Source, client.Client]:
        """Where public videos are asked for, and through what. Raises PlatformError, NOT_OFFERED."""
        found = self.oembeds.get((platform, livemode))
        if found is None:
            raise _not_offered(platform, livemode)
        return found


def _not_offered(platform: str, livemode: bool) -> errors.PlatformError:
    world = "live" if livemode else "test"
    return errors.PlatformError(
        f"{platform} is not offered in {world} mode.",
        remedy="Ask the operator to configure the platform, or use another one.",
        reason="NOT_OFFERED",
        platform=platform,
    )


# A failure's kind -> reason, text, remedy. The platform's own text stays in our log: it may quote anything.
_MEANINGS: Mapping[type[base.Failure], tuple[str, str, str]] = {
    base.ReconnectRequired: ("RECONNECT_REQUIRED", "The grant is over.", "Connect the creator again."),
    base.AuthExpired: ("RECONNECT_REQUIRED", "The grant is over.", "Connect the creator again."),
    base.ScopeMissing: (
        "SCOPE_MISSING",
        "The creator did not allow this.",
        "Connect the creator again and ask for every permission.",
    ),
    base.NoAccount: (
        "NO_ACCOUNT",
        "The person has no channel or account there that can be read.",
        "Let the creator make one, or choose another, then connect again.",
    ),
    base.Misconfigured: (
        "MISCONFIGURED",
        "Our app is not set up rightly there; the operator is told.",
        "There is nothing to do on your side: syncs go on by themselves once it is.",
    ),
    base.RateLimited: ("THROTTLED", "The platform asks us to slow down.", "Try again later."),
    base.Transient: ("AWAY", "The platform does not answer properly.", "Try again shortly."),
}

_UNEXPECTED = (None, "The platform answered what it should not.", "Report it if it stays so.")


def explain(platform: str, failure: base.Failure) -> errors.PlatformError:
    """A connector's failure as an error the caller may see: platform, its code, reason, remedy."""
    known = (_MEANINGS[kind] for kind in type(failure).__mro__ if kind in _MEANINGS)
    reason, text, remedy = next(known, _UNEXPECTED)
    return errors.PlatformError(
        f"{platform}: {text}", remedy=remedy, reason=reason, platform=platform, platformCode=failure.code
    )
