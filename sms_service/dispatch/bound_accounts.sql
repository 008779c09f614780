-- Which accounts that take registered templates alone may take texts of which of these template versions. Asked only
-- where a route has such an account.
SELECT b.template_version_id, array_agg(b.gateway_account_id) AS gateway_account_ids
FROM template_bindings b
WHERE b.template_version_id = ANY (%(version_ids)s::bigint[]) AND b.state = 'usable'
GROUP BY b.template_version_id
