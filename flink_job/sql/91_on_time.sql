-- Readings whose window is still open.
SELECT * FROM judged WHERE NOT is_late
