SELECT page2.username AS c0, page2.followers AS c1, page2.likes AS c2, page2.views AS c3, one4.creator_id AS c4, one4.status AS c5
FROM (SELECT t1.followers, t1.id, t1.likes, t1.username, t1.views, t1.connected_at AS key
FROM creators AS t1
WHERE t1.account_id = $1::UUID AND t1.livemode = $2::BOOLEAN ORDER BY t1.connected_at DESC, t1.id DESC
 LIMIT $3::INTEGER) AS page2 LEFT OUTER JOIN LATERAL (SELECT t3.creator_id, t3.status
FROM grants AS t3
WHERE t3.account_id = $1::UUID AND t3.livemode = $2::BOOLEAN AND t3.creator_id = page2.id) AS one4 ON true ORDER BY page2.key DESC, page2.id DESC
