SELECT 'vid_' || encode(uuid_send(found2.id), 'hex') AS c0, found2.title AS c1, one4.id AS c2, one4.username AS c3, found2.id AS c4
FROM (SELECT t1.creator_id AS creator_id, t1.id AS id, t1.title AS title
FROM videos AS t1
WHERE t1.account_id = $1::UUID AND t1.livemode = $2::BOOLEAN AND t1.gone_at IS NULL AND t1.id = any($3::UUID[])) AS found2 LEFT OUTER JOIN LATERAL (SELECT t3.id AS id, t3.username AS username
FROM creators AS t3
WHERE t3.account_id = $1::UUID AND t3.livemode = $2::BOOLEAN AND t3.id = found2.creator_id) AS one4 ON true
;
SELECT 'crt_' || encode(uuid_send(found2.id), 'hex') AS c0, found2.username AS c1, one4.creator_id AS c2, one4.status AS c3, to_json(one4.scopes) AS c4, to_char(one4.expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS c5, found2.id AS c6
FROM (SELECT t1.id AS id, t1.username AS username
FROM creators AS t1
WHERE t1.account_id = $1::UUID AND t1.livemode = $2::BOOLEAN AND t1.id = any($3::UUID[])) AS found2 LEFT OUTER JOIN LATERAL (SELECT t3.creator_id AS creator_id, t3.expires_at AS expires_at, t3.scopes AS scopes, t3.status AS status
FROM grants AS t3
WHERE t3.account_id = $1::UUID AND t3.livemode = $2::BOOLEAN AND t3.creator_id = found2.id) AS one4 ON true
