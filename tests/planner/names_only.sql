SELECT list5.a0 AS c0
FROM (SELECT t1.id, t1.connected_at AS key
FROM creators AS t1
WHERE t1.account_id = $1::UUID AND t1.livemode = $2::BOOLEAN ORDER BY t1.connected_at DESC, t1.id DESC
 LIMIT $3::INTEGER) AS page2 LEFT OUTER JOIN LATERAL (SELECT array_agg(rows4.c0) AS a0
FROM (SELECT 1 AS c0
FROM (SELECT DISTINCT ON (date_trunc('day', creator_stats.at, 'UTC')) date_trunc('day', creator_stats.at, 'UTC') AS at
FROM creator_stats
WHERE creator_stats.account_id = $1::UUID AND creator_stats.livemode = $2::BOOLEAN AND creator_stats.creator_id = page2.id AND creator_stats.at >= $4::TIMESTAMP WITH TIME ZONE AND creator_stats.at < $5::TIMESTAMP WITH TIME ZONE ORDER BY date_trunc('day', creator_stats.at, 'UTC'), creator_stats.at DESC) AS series3) AS rows4) AS list5 ON true ORDER BY page2.key DESC, page2.id DESC
