"""What people see of calls and of the service: desk, figures, data quality, checks, alarms."""
