-- What reaches the machines: readings at or next to a breach.
SELECT entity, watch_batch
FROM gated
WHERE watch_batch <> '' AND (watch_certain OR is_hot = 1)
