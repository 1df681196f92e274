SELECT 'vid_' || encode(uuid_send(found3.id), 'hex') AS c0, found3.title AS c1, one5.id AS c2, one5.username AS c3, found3.place AS c4
FROM (SELECT wanted2.place, t1.creator_id, t1.id, t1.title
FROM unnest($1::UUID[]) WITH ORDINALITY AS wanted2(id, place) JOIN videos AS t1 ON t1.id = wanted2.id
WHERE t1.account_id = $2::UUID AND t1.livemode = $3::BOOLEAN AND t1.gone_at IS NULL) AS found3 LEFT OUTER JOIN LATERAL (SELECT t4.id, t4.username
FROM creators AS t4
WHERE t4.account_id = $2::UUID AND t4.livemode = $3::BOOLEAN AND t4.id = found3.creator_id) AS one5 ON true
;
SELECT 'crt_' || encode(uuid_send(found3.id), 'hex') AS c0, found3.username AS c1, one5.creator_id AS c2, one5.status AS c3, to_json(one5.scopes) AS c4, one5.expires_at :: text AS c5, found3.place AS c6
FROM (SELECT wanted2.place, t1.id, t1.username
FROM unnest($1::UUID[]) WITH ORDINALITY AS wanted2(id, place) JOIN creators AS t1 ON t1.id = wanted2.id
WHERE t1.account_id = $2::UUID AND t1.livemode = $3::BOOLEAN) AS found3 LEFT OUTER JOIN LATERAL (SELECT t4.creator_id, t4.expires_at, t4.scopes, t4.status
FROM grants AS t4
WHERE t4.account_id = $2::UUID AND t4.livemode = $3::BOOLEAN AND t4.creator_id = found3.id) AS one5 ON true
