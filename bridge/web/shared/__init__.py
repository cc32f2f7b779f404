"""What all parts of web use and what knows no service: languages, templates, bodies, forms."""
