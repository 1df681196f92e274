"""Events on their way to the apps' webhooks while the simulator goes on answering."""

import asyncio
import enum

from simulators import apps, people, webhooks


class Reason(enum.IntEnum):
    """Why an authorization was removed (TikTok's webhooks-events)."""

    UNKNOWN = 0
    USER_DISCONNECTED = 1
    ACCOUNT_DELETED = 2
    AGE_CHANGED = 3
    ACCOUNT_BANNED = 4
    DEVELOPER_REVOKED = 5


class Outbox:
    """Sends events in the background; what is unsent when the simulator stops is lost."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[list[int]]] = set()

    def authorization_removed(self, app: apps.App, creator: str, reason: Reason, now: float) -> None:
        if app.webhook_url is None:
            return
        sending = webhooks.send_webhook(
            app.webhook_url,
            client_key=app.client_key,
            client_secret=app.client_secret,
            event="authorization.removed",
            user_openid=people.identity(app.client_key, creator),
            content={"reason": int(reason)},
            now=now,
        )
        task = asyncio.create_task(sending)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
