SELECT 'acc_' || encode(uuid_send(found3.id), 'hex') AS c0, found3.account_name AS c1, found3.name AS c2, found3.api_access AS c3, found3.monthly_credits AS c4, to_json(found3.return_urls) AS c5, list6.a0 AS c6, list6.a1 AS c7, list6.a2 AS c8, found3.place AS c9
FROM (SELECT wanted2.place, t1.account_name, t1.api_access, t1.id, t1.monthly_credits, t1.name, t1.return_urls
FROM unnest($1::UUID[]) WITH ORDINALITY AS wanted2(id, place) JOIN (SELECT accounts.id, accounts.id AS account_id, accounts.name AS account_name, accounts.return_urls, plans.name, plans.api_access AND accounts.canceled_at IS NULL AS api_access, coalesce(accounts.monthly_credits, plans.monthly_credits) AS monthly_credits, coalesce(accounts.requests_per_minute, plans.requests_per_minute) AS requests_per_minute, coalesce(accounts.test_requests_per_minute, plans.test_requests_per_minute) AS test_requests_per_minute, coalesce(accounts.max_websockets, plans.max_websockets) AS max_websockets
FROM accounts JOIN plans ON plans.name = accounts.plan) AS t1 ON t1.id = wanted2.id
WHERE t1.account_id = $2::UUID) AS found3 LEFT OUTER JOIN LATERAL (SELECT array_agg(rows5.c0) AS a0, array_agg(rows5.c1) AS a1, array_agg(rows5.c2) AS a2
FROM (SELECT series4.email AS c0, series4.role AS c1, series4.joined_at :: text AS c2
FROM (SELECT members.account_id, members.id, members.email, members.role, members.joined_at
FROM members
WHERE members.account_id = $2::UUID ORDER BY members.joined_at, members.id) AS series4) AS rows5) AS list6 ON true
