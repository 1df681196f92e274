SELECT rows4.c0, rows4.c1, rows4.c2, EXISTS (SELECT 1
FROM creators AS t1
WHERE t1.account_id = $3::UUID AND t1.livemode = $4::BOOLEAN AND (t1.username COLLATE "C", t1.id) >= ($1::VARCHAR, $2::UUID)) AS after_exists
FROM (SELECT 1 AS one) AS one LEFT OUTER JOIN (SELECT page3.body || substr(int8send(crc32(page3.body) # $8::BIGINT), 6, 3) AS c0, page3.username AS c1, 1 AS c2
FROM (SELECT t2.id, t2.username, convert_to(t2.username COLLATE "C", 'UTF8') || uuid_send(t2.id) AS body, t2.username COLLATE "C" AS key
FROM creators AS t2
WHERE t2.account_id = $3::UUID AND t2.livemode = $4::BOOLEAN AND (t2.username COLLATE "C", t2.id) < ($5::VARCHAR, $6::UUID) ORDER BY t2.username COLLATE "C" DESC, t2.id DESC
 LIMIT $7::INTEGER) AS page3 ORDER BY page3.key DESC, page3.id DESC) AS rows4 ON true
