SELECT series1.name AS c0, series1.api_access AS c1, series1.monthly_credits AS c2, series1.max_websockets AS c3
FROM (SELECT plans.name, plans.rank, plans.api_access, plans.monthly_credits, plans.requests_per_minute, plans.test_requests_per_minute, plans.max_websockets, plans.sync_hours
FROM plans ORDER BY plans.rank) AS series1
