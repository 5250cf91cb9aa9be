-- What the machines of silences are told: that nothing came any more, and that something came again.
SELECT entity, site_path, tags, FALSE AS is_heard, last_ms AS at_ms, CAST(-1 AS BIGINT) AS before_ms
FROM silent
WHERE entity <> ''
UNION ALL
SELECT entity, site_path, tags, is_heard, arrival_ms AS at_ms, before_ms
FROM watched
WHERE is_heard
