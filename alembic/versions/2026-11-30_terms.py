"""Balances count the changes of what stands against a charge: of their account's keys, of the account, of its plan.

A settlement that names the count under which it judged a key need not look at key, account and plan again.
"""

import sqlalchemy as sa

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# Balances are locked in one order, as settlements lock them.
CHANGED = """
create function terms_changed() returns trigger language plpgsql as $$
declare
  changed uuid[];
begin
  if tg_table_name = 'plans' then
    changed := array(select id from accounts where plan = old.name);
  elsif tg_table_name = 'accounts' then
    changed := array[old.id];
  else
    changed := array[old.account_id];
  end if;
  with held as materialized (
    select account_id from credit_balances where account_id = any(changed) order by account_id for no key update
  )
  update credit_balances b set terms = b.terms + 1 from held h where b.account_id = h.account_id;
  return null;
end $$
"""

# As the transaction commits: so a balance is the last that it locks, and is not held for longer than it must.
TRIGGER = """
create constraint trigger terms_changed after {event} on {table}
  deferrable initially deferred for each row execute function terms_changed()
"""
EVENTS = {
    "api_keys": "update of revoked_at, expires_at, retires_at, monthly_credits or delete",
    "accounts": "update of plan, canceled_at",
    "plans": "update of api_access",
}


def upgrade() -> None:
    op.add_column(
        "credit_balances", sa.Column("terms", sa.BigInteger(), server_default=sa.text("1"), nullable=False)
    )
    op.execute(CHANGED)
    for table, event in EVENTS.items():
        op.execute(TRIGGER.format(event=event, table=table))


def downgrade() -> None:
    for table in EVENTS:
        op.execute(f"drop trigger terms_changed on {table}")
    op.execute("drop function terms_changed")
    op.drop_column("credit_balances", "terms")
