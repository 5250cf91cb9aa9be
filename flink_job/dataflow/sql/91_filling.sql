-- Readings whose window is still open, and which fill it.
SELECT * FROM judged WHERE NOT is_late AND fills_window
