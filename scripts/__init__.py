"""Programs for who works on the project; `make` calls them."""
