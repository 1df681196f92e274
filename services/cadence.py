"""When a creator is read again: by the plan's hours, longer for who posts seldom.

Posted within a week: every `sync_hours` of the plan; within a month: half as often; else a quarter as often;
never less often than once a week. Spread by a tenth, so that creators who connected together drift apart.
Without a living grant there is nothing to wait for until the creator connects again.
"""

from db.session import Connection
from services import grants

NEXT = """
update creators c set next_sync_at = case when (
    select status = 'ACTIVE' from grants g where (g.account_id, g.creator_id) = (c.account_id, c.id)) then
  now() + (0.9 + random() * 0.2) * least(
    interval '7 days',
    (select make_interval(hours => p.sync_hours::int)
     from accounts a join plans p on p.name = a.plan where a.id = c.account_id) * (
      select case when max(published_at) > now() - interval '7 days' then 1
                  when max(published_at) > now() - interval '30 days' then 2 else 4 end
      from videos v where v.account_id = c.account_id and v.creator_id = c.id and v.gone_at is null))
  end
where account_id = $1 and livemode = $2 and id = $3
"""


async def set_next(connection: Connection, whose: grants.Whose) -> None:
    """At the end of every sync, however it ended; the caller holds the creator's row."""
    await connection.execute(NEXT, *whose.key)
