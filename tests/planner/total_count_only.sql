SELECT (SELECT count(*)
FROM creators AS t1
WHERE t1.account_id = $1::UUID AND t1.livemode = $2::BOOLEAN AND (EXISTS (SELECT 1
FROM grants AS grants_1
WHERE grants_1.account_id = $1::UUID AND grants_1.creator_id = t1.id AND grants_1.status = ANY ($3::TEXT[])))) AS total
