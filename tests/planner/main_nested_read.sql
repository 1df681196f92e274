SELECT rows9.c0, rows9.c1, rows9.c2, rows9.c3, rows9.c4, rows9.c5, rows9.c6, rows9.c7, rows9.c8, (SELECT count(*)
FROM creators AS t1
WHERE t1.account_id = $1::UUID AND t1.livemode = $2::BOOLEAN) AS total
FROM (SELECT 1 AS one) AS one LEFT OUTER JOIN (SELECT page4.body || substr(int8send(crc32(page4.body) # $4::BIGINT), 6, 3) AS c0, page4.username AS c1, page4.platform AS c2, page4.followers AS c3, page4.engagement_rate AS c4, list8.a0 AS c5, list8.a1 AS c6, list8.a2 AS c7, 1 AS c8
FROM (SELECT cut3.*, row_number() OVER (ORDER BY cut3.key DESC, cut3.id DESC) AS place
FROM (SELECT t2.engagement_rate, t2.followers, t2.id, t2.platform, t2.username, timestamptz_send(t2.connected_at) || uuid_send(t2.id) AS body, t2.connected_at AS key
FROM creators AS t2
WHERE t2.account_id = $1::UUID AND t2.livemode = $2::BOOLEAN ORDER BY t2.connected_at DESC, t2.id DESC
 LIMIT $3::INTEGER) AS cut3) AS page4 LEFT OUTER JOIN LATERAL (SELECT array_agg(rows7.c0) AS a0, array_agg(rows7.c1) AS a1, array_agg(rows7.c2) AS a2
FROM (SELECT page6.body || substr(int8send(crc32(page6.body) # $6::BIGINT), 6, 3) AS c0, page6.title AS c1, page6.views AS c2
FROM (SELECT t5.id, t5.published_at, t5.title, t5.views, timestamptz_send(t5.published_at) || uuid_send(t5.id) AS body, t5.published_at AS key
FROM videos AS t5
WHERE t5.account_id = $1::UUID AND t5.livemode = $2::BOOLEAN AND t5.gone_at IS NULL AND page4.place < $3::INTEGER AND t5.creator_id = page4.id ORDER BY t5.published_at DESC, t5.id DESC
 LIMIT $5::INTEGER) AS page6) AS rows7) AS list8 ON true ORDER BY page4.key DESC, page4.id DESC) AS rows9 ON true
