-- Heartbeats and clock ticks in one stream; event time is the time of arrival.
SELECT entity, site_path, tags, arrival_ms, arrival FROM heartbeats
UNION ALL
SELECT entity, site_path, tags, arrival_ms, arrival FROM ticks
