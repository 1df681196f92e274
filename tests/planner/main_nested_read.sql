SELECT rows8.c0, rows8.c1, rows8.c2, rows8.c3, rows8.c4, rows8.c5, rows8.c6, rows8.c7, rows8.c8, rows8.c9, rows8.c10, (SELECT count(*)
FROM creators AS t1
WHERE t1.account_id = $1::UUID AND t1.livemode = $2::BOOLEAN) AS total
FROM (SELECT 1 AS one) AS one LEFT OUTER JOIN (SELECT 'crt_' || encode(uuid_send(page3.id), 'hex') AS c0, page3.username AS c1, page3.platform AS c2, page3.followers AS c3, page3.engagement_rate AS c4, list7.a0 AS c5, list7.a1 AS c6, list7.a2 AS c7, list7.a3 AS c8, encode(page3.body || substr(int8send(crc32(page3.body) # $6::BIGINT), 6, 3), 'base64') AS c9, 1 AS c10
FROM (SELECT t2.engagement_rate, t2.followers, t2.id, t2.platform, t2.username, timestamptz_send(t2.connected_at) || uuid_send(t2.id) AS body, t2.connected_at AS key
FROM creators AS t2
WHERE t2.account_id = $1::UUID AND t2.livemode = $2::BOOLEAN ORDER BY t2.connected_at DESC, t2.id DESC
 LIMIT $3::INTEGER) AS page3 LEFT OUTER JOIN LATERAL (SELECT array_agg(rows6.c0) AS a0, array_agg(rows6.c1) AS a1, array_agg(rows6.c2) AS a2, array_agg(rows6.c3) AS a3
FROM (SELECT page5.title AS c0, page5.views AS c1, page5.published_at :: text AS c2, encode(page5.body || substr(int8send(crc32(page5.body) # $5::BIGINT), 6, 3), 'base64') AS c3
FROM (SELECT t4.id, t4.published_at, t4.title, t4.views, timestamptz_send(t4.published_at) || uuid_send(t4.id) AS body, t4.published_at AS key
FROM videos AS t4
WHERE t4.account_id = $1::UUID AND t4.livemode = $2::BOOLEAN AND t4.gone_at IS NULL AND t4.creator_id = page3.id ORDER BY t4.published_at DESC, t4.id DESC
 LIMIT $4::INTEGER) AS page5) AS rows6) AS list7 ON true ORDER BY page3.key DESC, page3.id DESC) AS rows8 ON true
