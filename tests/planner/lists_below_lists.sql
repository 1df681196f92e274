SELECT page2.username AS c0, list19.a0 AS c1, list19.a1 AS c2, list19.a2 AS c3, list19.a3 AS c4, list19.a4 AS c5, list19.a5 AS c6, list19.a6 AS c7, (SELECT count(*)
FROM videos AS t20
WHERE t20.account_id = $1::UUID AND t20.livemode = $2::BOOLEAN AND t20.gone_at IS NULL AND t20.creator_id = page2.id) AS c8
FROM (SELECT t1.id, t1.username, t1.connected_at AS key
FROM creators AS t1
WHERE t1.account_id = $1::UUID AND t1.livemode = $2::BOOLEAN ORDER BY t1.connected_at DESC, t1.id DESC
 LIMIT $3::INTEGER) AS page2 LEFT OUTER JOIN LATERAL (SELECT array_agg(rows18.c0) AS a0, array_agg(rows18.c1) AS a1, array_agg(rows18.c2) AS a2, array_agg(rows18.c3) AS a3, array_agg(rows18.c4) AS a4, array_agg(rows18.c5) AS a5, array_agg(rows18.c6) AS a6
FROM (SELECT page4.title AS c0, page4.engagement_rate AS c1, page4.published_at :: text AS c2, list7.whole AS c3, one9.id AS c4, one9.verified AS c5, list17.whole AS c6
FROM (SELECT t3.creator_id, t3.engagement_rate, t3.id, t3.published_at, t3.title, t3.published_at AS key
FROM videos AS t3
WHERE t3.account_id = $1::UUID AND t3.livemode = $2::BOOLEAN AND t3.gone_at IS NULL AND t3.creator_id = page2.id ORDER BY t3.published_at DESC, t3.id DESC
 LIMIT $4::INTEGER) AS page4 LEFT OUTER JOIN LATERAL (SELECT json_build_array(json_build_array(array_agg(rows6.c0), array_agg(rows6.c1))) AS whole
FROM (SELECT series5.at :: text AS c0, series5.views AS c1
FROM (SELECT DISTINCT ON (date_trunc('day', video_stats.at, 'UTC')) date_trunc('day', video_stats.at, 'UTC') AS at, video_stats.views
FROM video_stats
WHERE video_stats.account_id = $1::UUID AND video_stats.livemode = $2::BOOLEAN AND video_stats.creator_id = page4.creator_id AND video_stats.video_id = page4.id AND video_stats.at >= $5::TIMESTAMP WITH TIME ZONE AND video_stats.at < $6::TIMESTAMP WITH TIME ZONE ORDER BY date_trunc('day', video_stats.at, 'UTC'), video_stats.at DESC) AS series5) AS rows6) AS list7 ON true LEFT OUTER JOIN LATERAL (SELECT t8.id, t8.verified
FROM creators AS t8
WHERE t8.account_id = $1::UUID AND t8.livemode = $2::BOOLEAN AND t8.id = page4.creator_id) AS one9 ON true LEFT OUTER JOIN LATERAL (SELECT json_build_array(json_build_array(array_agg(rows16.c0), array_agg(rows16.c1), array_agg(rows16.c2), array_agg(rows16.c3), array_agg(rows16.c4), array_agg(rows16.c5), array_agg(rows16.c6), array_agg(rows16.c7), array_agg(rows16.c8))) AS whole
FROM (SELECT page11.status AS c0, CASE WHEN (page11.status IN ('SUCCEEDED', 'PARTIAL')) THEN 1.0::float8 WHEN (page11.started_at IS NULL) THEN 0.0::float8 ELSE least(0.99::float8, coalesce(page11.videos_seen / (greatest(page11.videos_expected, page11.videos_seen, 1) :: float8), 0.0::float8)) END AS c1, page11.started_at :: text AS c2, page11.error_code IS NOT NULL AS c3, page11.error_code AS c4, page11.error_retry_at :: text AS c5, one13.id AS c6, one15.creator_id AS c7, to_json(one15.scopes) AS c8
FROM (SELECT t10.creator_id, t10.error_code, t10.error_retry_at, t10.id, t10.started_at, t10.status, t10.videos_expected, t10.videos_seen, t10.queued_at AS key
FROM syncs AS t10
WHERE t10.account_id = $1::UUID AND t10.livemode = $2::BOOLEAN AND t10.creator_id = one9.id ORDER BY t10.queued_at DESC, t10.id DESC
 LIMIT $7::INTEGER) AS page11 LEFT OUTER JOIN LATERAL (SELECT t12.id
FROM creators AS t12
WHERE t12.account_id = $1::UUID AND t12.livemode = $2::BOOLEAN AND t12.id = page11.creator_id) AS one13 ON true LEFT OUTER JOIN LATERAL (SELECT t14.creator_id, t14.scopes
FROM grants AS t14
WHERE t14.account_id = $1::UUID AND t14.livemode = $2::BOOLEAN AND t14.creator_id = one13.id) AS one15 ON true ORDER BY page11.key DESC, page11.id DESC) AS rows16) AS list17 ON true ORDER BY page4.key DESC, page4.id DESC) AS rows18) AS list19 ON true ORDER BY page2.key DESC, page2.id DESC
