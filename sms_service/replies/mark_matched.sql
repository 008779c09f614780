-- Records what match_replies.sql found for replies of one month, which this transaction has locked.
UPDATE replies r
SET matched_at = sms_now(), month = f.month, message_id = f.message_id, person_id = f.person_id, unit_path = f.unit_path,
    meaning = CASE WHEN f.stop THEN 'stop' ELSE r.meaning END
FROM unnest(
    %(ids)s::bigint[], %(months)s::date[], %(message_ids)s::bigint[], %(person_ids)s::bigint[], %(unit_paths)s::text[],
    %(stops)s::boolean[]
) AS f (id, month, message_id, person_id, unit_path, stop)
WHERE r.in_month = %(in_month)s::date AND r.id = f.id
