-- Readings whose window is still open, and which are shorter than it.
SELECT * FROM judged WHERE NOT is_late AND NOT fills_window
