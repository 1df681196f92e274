SELECT rows6.c0, rows6.c1, rows6.c2, rows6.c3, rows6.c4, (SELECT count(*)
FROM videos AS t1
WHERE t1.account_id = $1::UUID AND t1.livemode = $2::BOOLEAN AND t1.gone_at IS NULL AND t1.published_at >= $3::TIMESTAMP WITH TIME ZONE AND (t1.search @@ to_tsquery('simple', $4::VARCHAR)) AND t1.views >= $5::BIGINT AND t1.creator_id IN (SELECT creators_1.id
FROM creators AS creators_1
WHERE creators_1.account_id = $1::UUID AND creators_1.livemode = $2::BOOLEAN AND creators_1.platform = ANY ($6::TEXT[]))) AS total
FROM (SELECT 1 AS one) AS one LEFT OUTER JOIN (SELECT page3.engagement_rate AS c0, page3.views AS c1, one5.id AS c2, one5.platform AS c3, 1 AS c4
FROM (SELECT t2.creator_id, t2.engagement_rate, t2.id, t2.views, coalesce(t2.engagement_rate, -1::double precision) AS key
FROM videos AS t2
WHERE t2.account_id = $1::UUID AND t2.livemode = $2::BOOLEAN AND t2.gone_at IS NULL AND t2.published_at >= $7::TIMESTAMP WITH TIME ZONE AND (t2.search @@ to_tsquery('simple', $8::VARCHAR)) AND t2.views >= $9::BIGINT AND t2.creator_id IN (SELECT creators_1.id
FROM creators AS creators_1
WHERE creators_1.account_id = $1::UUID AND creators_1.livemode = $2::BOOLEAN AND creators_1.platform = ANY ($10::TEXT[])) ORDER BY coalesce(t2.engagement_rate, -1::double precision) ASC, t2.id ASC
 LIMIT $11::INTEGER) AS page3 LEFT OUTER JOIN LATERAL (SELECT t4.id, t4.platform
FROM creators AS t4
WHERE t4.account_id = $1::UUID AND t4.livemode = $2::BOOLEAN AND t4.id = page3.creator_id) AS one5 ON true ORDER BY page3.key ASC, page3.id ASC) AS rows6 ON true
