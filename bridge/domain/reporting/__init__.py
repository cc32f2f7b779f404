"""What pages and reports show: desk, figures, data quality, checks, alarms."""
