"""What goes out in writing: drafts for authorities, the package for the police, and the report after the event."""
