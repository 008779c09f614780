-- Makes void what these replies answered before they are read again.
UPDATE answers SET voided_at = sms_now() WHERE reply_id = ANY (%(ids)s::bigint[]) AND voided_at IS NULL
