"""What is written to 1C: the phone call document, its subject record, reminders."""
