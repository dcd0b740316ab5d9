"""Files of every kind, read and written so that nothing half is believed and nothing half is left."""
