"""Documents: what is said (`model`), and the same content as html, docx and pdf."""
