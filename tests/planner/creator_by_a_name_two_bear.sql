SELECT 'crt_' || encode(uuid_send(page2.id), 'hex') AS c0, page2.username AS c1, page2.connected_at :: text AS c2, list6.a0 AS c3
FROM (SELECT t1.connected_at, t1.id, t1.username, t1.connected_at AS key
FROM creators AS t1
WHERE t1.account_id = $1::UUID AND t1.livemode = $2::BOOLEAN AND t1.platform = $3::VARCHAR AND t1.username = $4::VARCHAR ORDER BY t1.connected_at DESC, t1.id DESC
 LIMIT $5::INTEGER) AS page2 LEFT OUTER JOIN LATERAL (SELECT array_agg(rows5.c0) AS a0
FROM (SELECT page4.title AS c0
FROM (SELECT t3.id, t3.title, t3.published_at AS key
FROM videos AS t3
WHERE t3.account_id = $1::UUID AND t3.livemode = $2::BOOLEAN AND t3.gone_at IS NULL AND t3.creator_id = page2.id ORDER BY t3.published_at ASC, t3.id ASC
 LIMIT $6::INTEGER) AS page4) AS rows5) AS list6 ON true ORDER BY page2.key DESC, page2.id DESC
