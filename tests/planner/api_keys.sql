SELECT page2.name AS c0, CASE WHEN page2.livemode THEN 'LIVE' ELSE 'TEST' END AS c1, CASE WHEN (page2.revoked_at IS NOT NULL) THEN 'REVOKED' WHEN (page2.expires_at <= now() OR page2.retires_at <= now()) THEN 'EXPIRED' WHEN (page2.retiring_since IS NOT NULL) THEN 'RETIRING' ELSE 'ACTIVE' END AS c2, to_json(page2.scopes) AS c3, to_json(page2.allowed_ips) AS c4, host(page2.last_used_ip) AS c5, one4.id AS c6, one4.email AS c7, one6.id AS c8, one6.hint AS c9, one8.id AS c10, one8.hint AS c11
FROM (SELECT t1.allowed_ips, t1.created_by, t1.expires_at, t1.id, t1.last_used_ip, t1.livemode, t1.name, t1.replaces, t1.retires_at, t1.retiring_since, t1.revoked_at, t1.scopes, t1.created_at AS key
FROM api_keys AS t1
WHERE t1.account_id = $1::UUID AND t1.livemode = $2::BOOLEAN AND t1.livemode = ($3::VARCHAR = 'LIVE') AND CASE WHEN (t1.revoked_at IS NOT NULL) THEN 'REVOKED' WHEN (t1.expires_at <= now() OR t1.retires_at <= now()) THEN 'EXPIRED' WHEN (t1.retiring_since IS NOT NULL) THEN 'RETIRING' ELSE 'ACTIVE' END = ANY ($4::TEXT[]) ORDER BY t1.created_at DESC, t1.id DESC
 LIMIT $5::INTEGER) AS page2 LEFT OUTER JOIN LATERAL (SELECT t3.email, t3.id
FROM members AS t3
WHERE t3.account_id = $1::UUID AND t3.id = page2.created_by) AS one4 ON true LEFT OUTER JOIN LATERAL (SELECT t5.hint, t5.id, t5.replaced_by
FROM api_keys AS t5
WHERE t5.account_id = $1::UUID AND t5.livemode = $2::BOOLEAN AND t5.id = page2.replaces) AS one6 ON true LEFT OUTER JOIN LATERAL (SELECT t7.hint, t7.id
FROM api_keys AS t7
WHERE t7.account_id = $1::UUID AND t7.livemode = $2::BOOLEAN AND t7.id = one6.replaced_by) AS one8 ON true ORDER BY page2.key DESC, page2.id DESC
