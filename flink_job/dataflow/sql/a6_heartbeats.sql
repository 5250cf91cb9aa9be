-- Arrivals and ticks in one stream, whose time is that of arrival.
SELECT entity, site_path, tags, arrival_ms, arrival FROM watched
UNION ALL
SELECT entity, site_path, tags, arrival_ms, arrival FROM ticks
