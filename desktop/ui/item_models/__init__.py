"""Item models: rows for lists and tables; they know no widgets and no services."""
