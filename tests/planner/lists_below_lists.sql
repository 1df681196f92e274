SELECT page3.username AS c0, list20.a0 AS c1, list20.a1 AS c2, list20.a2 AS c3, list20.a3 AS c4, list20.a4 AS c5, list20.a5 AS c6, list20.a6 AS c7, (SELECT count(*)
FROM videos AS t21
WHERE t21.account_id = $1::UUID AND t21.livemode = $2::BOOLEAN AND t21.gone_at IS NULL AND page3.place < $3::INTEGER AND t21.creator_id = page3.id) AS c8
FROM (SELECT cut2.*, row_number() OVER (ORDER BY cut2.key DESC, cut2.id DESC) AS place
FROM (SELECT t1.id, t1.username, t1.connected_at AS key
FROM creators AS t1
WHERE t1.account_id = $1::UUID AND t1.livemode = $2::BOOLEAN ORDER BY t1.connected_at DESC, t1.id DESC
 LIMIT $3::INTEGER) AS cut2) AS page3 LEFT OUTER JOIN LATERAL (SELECT array_agg(rows19.c0) AS a0, array_agg(rows19.c1) AS a1, array_agg(rows19.c2) AS a2, array_agg(rows19.c3) AS a3, array_agg(rows19.c4) AS a4, array_agg(rows19.c5) AS a5, array_agg(rows19.c6) AS a6
FROM (SELECT page5.title AS c0, page5.engagement_rate AS c1, page5.published_at :: text AS c2, list8.whole AS c3, one10.id AS c4, one10.verified AS c5, list18.whole AS c6
FROM (SELECT t4.creator_id, t4.engagement_rate, t4.id, t4.published_at, t4.title, t4.published_at AS key
FROM videos AS t4
WHERE t4.account_id = $1::UUID AND t4.livemode = $2::BOOLEAN AND t4.gone_at IS NULL AND page3.place < $3::INTEGER AND t4.creator_id = page3.id ORDER BY t4.published_at DESC, t4.id DESC
 LIMIT $4::INTEGER) AS page5 LEFT OUTER JOIN LATERAL (SELECT json_build_array(json_build_array(array_agg(rows7.c0), array_agg(rows7.c1))) AS whole
FROM (SELECT series6.at :: text AS c0, series6.views AS c1
FROM (SELECT DISTINCT ON (date_trunc('day', video_stats.at, 'UTC')) date_trunc('day', video_stats.at, 'UTC') AS at, video_stats.views
FROM video_stats
WHERE video_stats.account_id = $1::UUID AND video_stats.livemode = $2::BOOLEAN AND video_stats.creator_id = page5.creator_id AND video_stats.video_id = page5.id AND video_stats.at >= $5::TIMESTAMP WITH TIME ZONE AND video_stats.at < $6::TIMESTAMP WITH TIME ZONE ORDER BY date_trunc('day', video_stats.at, 'UTC'), video_stats.at DESC) AS series6) AS rows7) AS list8 ON true LEFT OUTER JOIN LATERAL (SELECT t9.id, t9.verified
FROM creators AS t9
WHERE t9.account_id = $1::UUID AND t9.livemode = $2::BOOLEAN AND t9.id = page5.creator_id) AS one10 ON true LEFT OUTER JOIN LATERAL (SELECT json_build_array(json_build_array(array_agg(rows17.c0), array_agg(rows17.c1), array_agg(rows17.c2), array_agg(rows17.c3), array_agg(rows17.c4), array_agg(rows17.c5), array_agg(rows17.c6), array_agg(rows17.c7), array_agg(rows17.c8))) AS whole
FROM (SELECT page12.status AS c0, CASE WHEN (page12.status IN ('SUCCEEDED', 'PARTIAL')) THEN 1.0::float8 WHEN (page12.started_at IS NULL) THEN 0.0::float8 ELSE least(0.99::float8, coalesce(page12.videos_seen / (greatest(page12.videos_expected, page12.videos_seen, 1) :: float8), 0.0::float8)) END AS c1, page12.started_at :: text AS c2, page12.error_code IS NOT NULL AS c3, page12.error_code AS c4, page12.error_retry_at :: text AS c5, one14.id AS c6, one16.creator_id AS c7, to_json(one16.scopes) AS c8
FROM (SELECT t11.creator_id, t11.error_code, t11.error_retry_at, t11.id, t11.started_at, t11.status, t11.videos_expected, t11.videos_seen, t11.queued_at AS key
FROM syncs AS t11
WHERE t11.account_id = $1::UUID AND t11.livemode = $2::BOOLEAN AND t11.creator_id = one10.id ORDER BY t11.queued_at DESC, t11.id DESC
 LIMIT $7::INTEGER) AS page12 LEFT OUTER JOIN LATERAL (SELECT t13.id
FROM creators AS t13
WHERE t13.account_id = $1::UUID AND t13.livemode = $2::BOOLEAN AND t13.id = page12.creator_id) AS one14 ON true LEFT OUTER JOIN LATERAL (SELECT t15.creator_id, t15.scopes
FROM grants AS t15
WHERE t15.account_id = $1::UUID AND t15.livemode = $2::BOOLEAN AND t15.creator_id = one14.id) AS one16 ON true ORDER BY page12.key DESC, page12.id DESC) AS rows17) AS list18 ON true ORDER BY page5.key DESC, page5.id DESC) AS rows19) AS list20 ON true ORDER BY page3.key DESC, page3.id DESC
